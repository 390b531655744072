// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace Depthbridge
{
    /// <summary>Looks a host up and connects to the first of its addresses that answers.</summary>
    internal sealed class TcpDialer
    {
        private const int SliceMs = 50;

        private readonly TcpEndpoint _endpoint;
        private readonly Deadline _deadline;
        private readonly Func<bool> _givenUp;

        /// <param name="givenUp">True once another thread wants this to end.</param>
        internal TcpDialer(TcpEndpoint endpoint, Deadline deadline, Func<bool> givenUp)
        {
            _endpoint = endpoint;
            _deadline = deadline;
            _givenUp = givenUp;
        }

        /// <summary>A connected, non-blocking socket without Nagle's delay.</summary>
        internal Socket Dial()
        {
            return Dial(Addresses());
        }

        /// <summary>The same for addresses that are known.</summary>
        internal Socket Dial(List<IPAddress> addresses)
        {
            TransportException failure = null;
            for (int i = 0; i < addresses.Count; i++)
            {
                // Each address gets its share of what is left: one that swallows packets must not use up the time of the next.
                Deadline share = Deadline.In(_deadline.LeftMs / (addresses.Count - i));
                try
                {
                    return DialOne(addresses[i], share);
                }
                catch (TransportException problem)
                {
                    failure = problem;
                    if (_givenUp())
                    {
                        break;
                    }
                }
            }
            throw failure;
        }

        private List<IPAddress> Addresses()
        {
            if (_endpoint.Address != null)
            {
                return new List<IPAddress> { _endpoint.Address };
            }
            IPAddress[] found;
            try
            {
                IAsyncResult lookup = Dns.BeginGetHostAddresses(_endpoint.Host, null, null);
                Await(lookup, _deadline, "the name '" + _endpoint.Host + "' was not looked up in time; is the network up?");
                found = Dns.EndGetHostAddresses(lookup);
            }
            catch (SocketException problem)
            {
                throw Unknown(problem);
            }
            catch (ArgumentException problem) // names of impossible form or length
            {
                throw Unknown(problem);
            }
            List<IPAddress> ordered = new List<IPAddress>();
            // ZeroMQ servers listen on IPv4 unless told otherwise, and a refusal takes Windows two seconds.
            ordered.AddRange(Array.FindAll(found, address => address.AddressFamily == AddressFamily.InterNetwork));
            ordered.AddRange(Array.FindAll(found, address => address.AddressFamily == AddressFamily.InterNetworkV6));
            if (ordered.Count == 0)
            {
                throw Unknown(null);
            }
            return ordered;
        }

        private Socket DialOne(IPAddress address, Deadline deadline)
        {
            Socket socket = null;
            bool connected = false;
            try
            {
                socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                IAsyncResult dialing = socket.BeginConnect(new IPEndPoint(address, _endpoint.Port), null, null);
                Await(dialing, deadline, address + " did not answer in time; is the address right, and the port open in the firewall?");
                socket.EndConnect(dialing);
                socket.Blocking = false;
                connected = true;
                return socket;
            }
            catch (SocketException problem)
            {
                throw NotConnected(address, problem);
            }
            finally
            {
                if (!connected && socket != null)
                {
                    socket.Close();
                }
            }
        }

        private void Await(IAsyncResult work, Deadline deadline, string late)
        {
            WaitHandle done = work.AsyncWaitHandle;
            while (!done.WaitOne(Math.Min(SliceMs, deadline.LeftMs)))
            {
                if (_givenUp())
                {
                    string text = "The connection to " + _endpoint.Text + " was closed while it was being made.";
                    throw new TransportException(TransportFailure.Closed, text);
                }
                if (deadline.Passed)
                {
                    throw new TransportException(TransportFailure.Timeout, _endpoint.Text + " cannot be reached: " + late);
                }
            }
        }

        private TransportException Unknown(Exception cause)
        {
            string message = _endpoint.Text + " cannot be reached: nobody knows a host '" + _endpoint.Host + "'; check the spelling.";
            return new TransportException(TransportFailure.UnknownHost, message, cause);
        }

        private TransportException NotConnected(IPAddress address, SocketException problem)
        {
            string message;
            switch (problem.SocketErrorCode)
            {
                case SocketError.ConnectionRefused:
                    message = " refused the connection (" + address + "): nothing listens there; start the server, or correct the port.";
                    break;
                case SocketError.TimedOut:
                    message = " cannot be reached: " + address + " did not answer; is the address right, and the firewall open?";
                    return new TransportException(TransportFailure.Timeout, _endpoint.Text + message, problem);
                default:
                    message = " cannot be reached (" + address + "): " + problem.Message.TrimEnd('.') + "; check address and network.";
                    break;
            }
            return new TransportException(TransportFailure.Refused, _endpoint.Text + message, problem);
        }
    }
}
