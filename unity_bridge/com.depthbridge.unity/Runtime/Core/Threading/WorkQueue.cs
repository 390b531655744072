// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;

namespace Depthbridge
{
    /// <summary>Work done one piece after the other on a thread of its own, with a bounded queue before it.</summary>
    public sealed class WorkQueue : IDisposable
    {
        private readonly object _lock = new object();
        private readonly Queue<Action> _waiting = new Queue<Action>();
        private readonly int _capacity;
        private readonly Action<Exception> _failed;
        private readonly Action _atEnd;
        private readonly Thread _thread;
        private bool _closed;
        private bool _busy;

        /// <param name="name">Of the thread.</param>
        /// <param name="capacity">How many pieces may wait.</param>
        /// <param name="failed">Told, on the queue's thread, of an exception that a piece of work let out; the next piece follows.</param>
        /// <param name="atEnd">Done last, after everything that was taken in; or null.</param>
        public WorkQueue(string name, int capacity, Action<Exception> failed, Action atEnd = null)
        {
            _capacity = capacity;
            _failed = failed;
            _atEnd = atEnd;
            _thread = new Thread(Run) { Name = name, IsBackground = true };
            _thread.Start();
        }

        /// <summary>How many pieces are not done yet, the one in work included.</summary>
        public int Unfinished
        {
            get
            {
                lock (_lock)
                {
                    return _waiting.Count + (_busy ? 1 : 0);
                }
            }
        }

        /// <summary>False when the queue is full or closed; the work will not be done then.</summary>
        public bool TryAdd(Action work)
        {
            lock (_lock)
            {
                if (_closed || _waiting.Count >= _capacity)
                {
                    return false;
                }
                _waiting.Enqueue(work);
                Monitor.PulseAll(_lock);
                return true;
            }
        }

        /// <summary>Blocks until the queue has room; false when it still has none after that time, or is closed.</summary>
        public bool WaitForRoom(int timeoutMs)
        {
            var end = DateTime.UtcNow.AddMilliseconds(timeoutMs);
            lock (_lock)
            {
                while (!_closed && _waiting.Count >= _capacity)
                {
                    var left = (int)(end - DateTime.UtcNow).TotalMilliseconds;
                    if (left <= 0 || !Monitor.Wait(_lock, left))
                    {
                        break;
                    }
                }
                return !_closed && _waiting.Count < _capacity;
            }
        }

        /// <summary>
        /// Takes no more work, does what waits, and ends the thread; false when it is still busy after that time. May be repeated.
        /// </summary>
        public bool Finish(int timeoutMs)
        {
            lock (_lock)
            {
                _closed = true;
                Monitor.PulseAll(_lock);
            }
            return Thread.CurrentThread == _thread || _thread.Join(timeoutMs);
        }

        /// <summary>Finishes within two seconds, or leaves the rest to the background thread.</summary>
        public void Dispose()
        {
            Finish(2000);
        }

        private void Run()
        {
            for (var work = Next(); work != null; work = Next())
            {
                Do(work);
            }
            if (_atEnd != null)
            {
                Do(_atEnd);
            }
        }

        private Action Next()
        {
            lock (_lock)
            {
                _busy = false;
                while (_waiting.Count == 0 && !_closed)
                {
                    Monitor.Wait(_lock);
                }
                if (_waiting.Count == 0)
                {
                    return null;
                }
                _busy = true;
                Monitor.PulseAll(_lock);
                return _waiting.Dequeue();
            }
        }

        private void Do(Action work)
        {
            try
            {
                work();
            }
            catch (Exception error) // a thread of a game must not end it
            {
                _failed(error);
            }
        }
    }
}
