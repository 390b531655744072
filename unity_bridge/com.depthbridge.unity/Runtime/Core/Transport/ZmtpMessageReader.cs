// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>Puts frames together into messages, and hands commands on; libzmq may send those between a message's frames, too.</summary>
    internal sealed class ZmtpMessageReader
    {
        private readonly ZmtpFrameReader _frames;
        private readonly TransportLimits _limits;
        private readonly Action<byte[]> _onCommand;
        private readonly string _endpoint;

        internal ZmtpMessageReader(ZmtpFrameReader frames, TransportLimits limits, Action<byte[]> onCommand, string endpoint)
        {
            _frames = frames;
            _limits = limits;
            _onCommand = onCommand;
            _endpoint = endpoint;
        }

        /// <summary>The next message, waiting for it.</summary>
        internal List<byte[]> Next()
        {
            List<byte[]> message = new List<byte[]>();
            long room = _limits.MaxMessageBytes;
            while (true)
            {
                ZmtpFrame frame = _frames.Next(room);
                if (frame.IsCommand)
                {
                    _onCommand(frame.Body);
                    continue;
                }
                if (message.Count == _limits.MaxFrames)
                {
                    string text = " sent a message of more than " + _limits.MaxFrames + " frames; that is no answer of a depth server.";
                    throw new TransportException(TransportFailure.TooLarge, _endpoint + text);
                }
                message.Add(frame.Body);
                room -= frame.Body.Length;
                if (!frame.More)
                {
                    return message;
                }
            }
        }
    }
}
