// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>Messages on their way from the reader's thread to the consumer's, bounded in number and bytes, and how the connection
    /// ended.</summary>
    internal sealed class TransportInbox
    {
        private readonly object _gate = new object();
        private readonly Queue<List<byte[]>> _messages = new Queue<List<byte[]>>();
        private readonly int _mostMessages;
        private readonly long _mostBytes;
        private long _bytes;
        private TransportException _end;

        internal TransportInbox(int mostMessages, long mostBytes)
        {
            _mostMessages = mostMessages;
            _mostBytes = mostBytes;
        }

        /// <summary>How the connection ended; null while it stands.</summary>
        internal TransportException End
        {
            get
            {
                lock (_gate)
                {
                    return _end;
                }
            }
        }

        /// <summary>Puts a message in if there is room, or room comes in time. An ended inbox swallows it.</summary>
        internal bool TryPut(List<byte[]> message, int timeoutMs)
        {
            long size = SizeOf(message);
            Deadline deadline = Deadline.In(timeoutMs);
            lock (_gate)
            {
                // A message of any permitted size fits into an empty inbox.
                while (_end == null && _messages.Count > 0 && (_messages.Count >= _mostMessages || _bytes + size > _mostBytes))
                {
                    if (deadline.Passed)
                    {
                        return false;
                    }
                    Monitor.Wait(_gate, deadline.LeftMs);
                }
                if (_end == null)
                {
                    _messages.Enqueue(message);
                    _bytes += size;
                    Monitor.PulseAll(_gate);
                }
                return true;
            }
        }

        /// <summary>The oldest message; null when none came in time (negative: no limit).</summary>
        /// <exception cref="TransportException">The connection has ended and all messages were taken.</exception>
        internal List<byte[]> Take(int timeoutMs)
        {
            Deadline deadline = Deadline.In(timeoutMs);
            lock (_gate)
            {
                while (_messages.Count == 0)
                {
                    if (_end != null)
                    {
                        throw new TransportException(_end.Failure, _end.Message, _end);
                    }
                    if (deadline.Passed)
                    {
                        return null;
                    }
                    Monitor.Wait(_gate, deadline.LeftMs);
                }
                List<byte[]> message = _messages.Dequeue();
                _bytes -= SizeOf(message);
                Monitor.PulseAll(_gate);
                return message;
            }
        }

        /// <summary>Ends the inbox; the first reason counts. Messages stay to be taken unless they are dropped.</summary>
        internal void Finish(TransportException end, bool drop)
        {
            lock (_gate)
            {
                _end = _end ?? end;
                if (drop)
                {
                    _messages.Clear();
                    _bytes = 0;
                }
                Monitor.PulseAll(_gate);
            }
        }

        private static long SizeOf(List<byte[]> message)
        {
            long size = 0;
            foreach (byte[] frame in message)
            {
                size += frame.Length;
            }
            return size;
        }
    }
}
