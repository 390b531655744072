// SPDX-License-Identifier: Apache-2.0
using System;
using System.Runtime.InteropServices;

namespace Depthbridge.Tests
{
    /// <summary>The few functions of the real ZeroMQ library that a DEALER needs; zmq.h has their meaning.</summary>
    internal static class Libzmq
    {
        internal const int Pair = 0;
        internal const int Dealer = 5;
        internal const int Linger = 17;
        internal const int ReconnectIvl = 18;
        internal const int MaxMsgSize = 22;
        internal const int SndHwm = 23;
        internal const int RcvHwm = 24;
        internal const int SndTimeo = 28;
        internal const int RcvMore = 13;
        internal const int Fd = 14;
        internal const int Events = 15;
        internal const int Ipv6 = 42;
        internal const int Immediate = 39;
        internal const int PollIn = 1;
        internal const int DontWait = 1;
        internal const int SndMore = 2;
        internal const int Again = 11;

        internal const int EventConnectRetried = 0x0004;
        internal const int EventClosed = 0x0080;
        internal const int EventDisconnected = 0x0200;
        internal const int EventFailedNoDetail = 0x0800;
        internal const int EventHandshakeSucceeded = 0x1000;
        internal const int EventFailedProtocol = 0x2000;
        internal const int EventFailedAuth = 0x4000;

        [StructLayout(LayoutKind.Sequential)]
        internal struct PollItem
        {
            internal IntPtr Socket;
            internal int Fd;
            internal short Events;
            internal short Revents;
        }

        [StructLayout(LayoutKind.Explicit, Size = 64)]
        internal struct Msg
        {
            [FieldOffset(0)]
            internal IntPtr Opaque;
        }

        [DllImport("libzmq")]
        internal static extern IntPtr zmq_ctx_new();

        [DllImport("libzmq")]
        internal static extern int zmq_ctx_term(IntPtr context);

        [DllImport("libzmq")]
        internal static extern IntPtr zmq_socket(IntPtr context, int type);

        [DllImport("libzmq")]
        internal static extern int zmq_close(IntPtr socket);

        [DllImport("libzmq", CharSet = CharSet.Ansi)]
        internal static extern int zmq_connect(IntPtr socket, string endpoint);

        [DllImport("libzmq", CharSet = CharSet.Ansi)]
        internal static extern int zmq_socket_monitor(IntPtr socket, string endpoint, int events);

        [DllImport("libzmq")]
        internal static extern int zmq_setsockopt(IntPtr socket, int option, ref int value, IntPtr size);

        [DllImport("libzmq")]
        internal static extern int zmq_setsockopt(IntPtr socket, int option, ref long value, IntPtr size);

        [DllImport("libzmq")]
        internal static extern int zmq_getsockopt(IntPtr socket, int option, ref int value, ref IntPtr size);

        [DllImport("libzmq")]
        internal static extern int zmq_send(IntPtr socket, IntPtr data, IntPtr size, int flags);

        [DllImport("libzmq")]
        internal static extern int zmq_msg_init(ref Msg message);

        [DllImport("libzmq")]
        internal static extern int zmq_msg_recv(ref Msg message, IntPtr socket, int flags);

        [DllImport("libzmq")]
        internal static extern IntPtr zmq_msg_data(ref Msg message);

        [DllImport("libzmq")]
        internal static extern IntPtr zmq_msg_size(ref Msg message);

        [DllImport("libzmq")]
        internal static extern int zmq_msg_close(ref Msg message);

        [DllImport("libzmq")]
        internal static extern int zmq_poll(ref PollItem item, int count, IntPtr timeoutMs);

        [DllImport("libzmq")]
        internal static extern int zmq_errno();

        [DllImport("libzmq")]
        internal static extern IntPtr zmq_strerror(int error);

        internal static string Error()
        {
            return Marshal.PtrToStringAnsi(zmq_strerror(zmq_errno()));
        }

        internal static void Set(IntPtr socket, int option, int value)
        {
            if (zmq_setsockopt(socket, option, ref value, (IntPtr)sizeof(int)) != 0)
            {
                throw new InvalidOperationException("zmq_setsockopt " + option + ": " + Error());
            }
        }

        internal static int Get(IntPtr socket, int option)
        {
            int value = 0;
            IntPtr size = (IntPtr)sizeof(int);
            return zmq_getsockopt(socket, option, ref value, ref size) == 0 ? value : -1;
        }

        /// <summary>A frame, or null when there is none at once.</summary>
        internal static byte[] TryReceive(IntPtr socket)
        {
            Msg message = default(Msg);
            zmq_msg_init(ref message);
            try
            {
                if (zmq_msg_recv(ref message, socket, DontWait) < 0)
                {
                    return null;
                }
                byte[] body = new byte[(long)zmq_msg_size(ref message)];
                if (body.Length > 0)
                {
                    Marshal.Copy(zmq_msg_data(ref message), body, 0, body.Length);
                }
                return body;
            }
            finally
            {
                zmq_msg_close(ref message);
            }
        }
    }
}
