// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>
    /// Writes messages whole, one after the other, whichever threads they come from, and answers to PINGs between them. The reader's
    /// thread never waits here: an answer that cannot go out at once goes out with whoever writes next.
    /// </summary>
    internal sealed class ZmtpWriter
    {
        // Copying a frame up to this size costs less than another segment for the system to gather.
        private const int CopiedBytes = 4096;
        private const int LongHeader = 9;
        private const int MostPongs = 16;

        private readonly TcpLink _link;
        private readonly int _patienceMs;
        private readonly object _turn = new object();
        private readonly List<ArraySegment<byte>> _segments = new List<ArraySegment<byte>>();
        private readonly Queue<byte[]> _pongs = new Queue<byte[]>();
        private byte[] _scratch = new byte[1024];
        private TransportException _broken; // half a message went out: whatever followed would be taken for the rest of it
        private ArraySegment<byte> _halfPong; // of a PONG that the system took in part: nothing may come before the rest

        internal ZmtpWriter(TcpLink link, int patienceMs)
        {
            _link = link;
            _patienceMs = patienceMs;
            _halfPong = new ArraySegment<byte>(_scratch, 0, 0);
        }

        /// <summary>Writes a message of frames that were checked. Any thread.</summary>
        internal void Send(IList<ArraySegment<byte>> frames)
        {
            lock (_turn)
            {
                if (_broken != null)
                {
                    throw new TransportException(_broken.Failure, _broken.Message, _broken);
                }
                try
                {
                    _segments.Clear();
                    _segments.Add(_halfPong);
                    LayPongs();
                    Lay(frames);
                    _link.Write(_segments, _patienceMs);
                    _halfPong = new ArraySegment<byte>(_scratch, 0, 0);
                }
                catch (TransportException problem)
                {
                    _broken = problem;
                    throw;
                }
                finally
                {
                    _segments.Clear();
                }
            }
            SendPongs();
        }

        /// <summary>Answers a PING now or, when the way is blocked, with the next message. Any thread; never waits.</summary>
        internal void SendPong(byte[] frame)
        {
            lock (_pongs)
            {
                if (_pongs.Count == MostPongs)
                {
                    _pongs.Dequeue();
                }
                _pongs.Enqueue(frame);
            }
            SendPongs();
        }

        /// <summary>Tries to write the PONGs that wait. Any thread; never waits.</summary>
        internal void SendPongs()
        {
            // Whoever holds the turn looks again after giving it back: a PONG that came meanwhile is not forgotten.
            while (PongsWait() && Monitor.TryEnter(_turn))
            {
                try
                {
                    if (_broken != null || !TryWritePongs())
                    {
                        return;
                    }
                }
                catch (TransportException)
                {
                    return; // the reader meets the same end, and tells it
                }
                finally
                {
                    _segments.Clear();
                    Monitor.Exit(_turn);
                }
            }
        }

        private bool PongsWait()
        {
            lock (_pongs)
            {
                return _pongs.Count > 0 || _halfPong.Count > 0;
            }
        }

        private bool TryWritePongs()
        {
            while (true)
            {
                if (_halfPong.Count == 0)
                {
                    lock (_pongs)
                    {
                        if (_pongs.Count == 0)
                        {
                            return true;
                        }
                        _halfPong = new ArraySegment<byte>(_pongs.Dequeue());
                    }
                }
                _segments.Clear();
                _segments.Add(_halfPong);
                int at = 0;
                _link.TryWrite(_segments, ref at);
                if (at == 0)
                {
                    _halfPong = _segments[0];
                    return false;
                }
                _halfPong = new ArraySegment<byte>(_scratch, 0, 0);
            }
        }

        /// <summary>What waits goes first: with many senders the turn might never be free.</summary>
        private void LayPongs()
        {
            lock (_pongs)
            {
                while (_pongs.Count > 0)
                {
                    _segments.Add(new ArraySegment<byte>(_pongs.Dequeue()));
                }
            }
        }

        /// <summary>Headers and small frames go into one buffer, large frames stay where they are.</summary>
        private void Lay(IList<ArraySegment<byte>> frames)
        {
            int needed = 0;
            for (int i = 0; i < frames.Count; i++)
            {
                needed += LongHeader + (frames[i].Count <= CopiedBytes ? frames[i].Count : 0);
            }
            if (_scratch.Length < needed)
            {
                _scratch = new byte[needed];
            }
            int from = 0;
            int to = 0;
            for (int i = 0; i < frames.Count; i++)
            {
                ArraySegment<byte> frame = frames[i];
                to = WriteHeader(to, frame.Count, i + 1 < frames.Count);
                if (frame.Count <= CopiedBytes)
                {
                    if (frame.Count > 0)
                    {
                        Buffer.BlockCopy(frame.Array, frame.Offset, _scratch, to, frame.Count);
                    }
                    to += frame.Count;
                    continue;
                }
                _segments.Add(new ArraySegment<byte>(_scratch, from, to - from));
                _segments.Add(frame);
                from = to;
            }
            _segments.Add(new ArraySegment<byte>(_scratch, from, to - from));
        }

        private int WriteHeader(int at, int length, bool more)
        {
            int flags = more ? ZmtpFrameReader.MoreFlag : 0;
            if (length < 256)
            {
                _scratch[at] = (byte)flags;
                _scratch[at + 1] = (byte)length;
                return at + 2;
            }
            _scratch[at] = (byte)(flags | ZmtpFrameReader.LongFlag);
            for (int i = 0; i < 8; i++)
            {
                _scratch[at + 1 + i] = (byte)((ulong)length >> (56 - 8 * i));
            }
            return at + LongHeader;
        }
    }
}
