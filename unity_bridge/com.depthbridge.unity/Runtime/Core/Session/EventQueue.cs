// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>
    /// What waits for the consumer's thread. Requests' ends are never lost; of changes of state only the last few are kept.
    /// </summary>
    internal sealed class EventQueue
    {
        private const int MaxStates = 16;

        private readonly object _gate = new object();
        private readonly LinkedList<SessionEvent> _events = new LinkedList<SessionEvent>();
        private int _states;

        /// <summary>How many requests' ends wait.</summary>
        internal int Ends
        {
            get
            {
                lock (_gate)
                {
                    return _events.Count - _states;
                }
            }
        }

        internal void Add(SessionEvent item)
        {
            lock (_gate)
            {
                _events.AddLast(item);
                if (item.Kind == SessionEventKind.StateChanged && ++_states > MaxStates)
                {
                    ForgetOldestState();
                }
            }
        }

        internal bool TryTake(out SessionEvent item)
        {
            lock (_gate)
            {
                if (_events.Count == 0)
                {
                    item = null;
                    return false;
                }
                item = _events.First.Value;
                _events.RemoveFirst();
                _states -= item.Kind == SessionEventKind.StateChanged ? 1 : 0;
                return true;
            }
        }

        private void ForgetOldestState()
        {
            for (var node = _events.First; node != null; node = node.Next)
            {
                if (node.Value.Kind == SessionEventKind.StateChanged)
                {
                    _events.Remove(node);
                    _states--;
                    return;
                }
            }
        }
    }
}
