// SPDX-License-Identifier: Apache-2.0
namespace Depthbridge
{
    /// <summary>What a session is doing.</summary>
    public enum SessionState
    {
        /// <summary>Not started, or stopped.</summary>
        Stopped,
        /// <summary>Connecting.</summary>
        Connecting,
        /// <summary>The server answers.</summary>
        Ready,
        /// <summary>Pausing before it connects again.</summary>
        Waiting,
        /// <summary>The server will not have this client (version or token); nothing is tried again until Start.</summary>
        Refused
    }

    /// <summary>What became of a submitted request at once.</summary>
    public enum SubmitOutcome
    {
        /// <summary>Accepted: exactly one Answered, Failed or Dropped event will come, and one call of Release.</summary>
        Queued,
        /// <summary>Accepted, as Queued; the frame that waited before it was dropped.</summary>
        ReplacedOlder,
        /// <summary>Not accepted, the request stays the caller's: the queue is full, or too many events have not been taken.</summary>
        QueueFull,
        /// <summary>Not accepted, the request stays the caller's: the session is stopped, or was refused by the server.</summary>
        Stopped,
        /// <summary>Not accepted, the request stays the caller's: it has more bytes or pixels than the server takes.</summary>
        TooLarge
    }

    /// <summary>What a <see cref="SessionEvent"/> tells.</summary>
    public enum SessionEventKind
    {
        /// <summary>The state is another one.</summary>
        StateChanged,
        /// <summary>A request was answered.</summary>
        Answered,
        /// <summary>A request was refused, timed out, or lost.</summary>
        Failed,
        /// <summary>A request was replaced by a newer frame before it was sent.</summary>
        Dropped
    }

    /// <summary>Something that happened, for the consumer's thread.</summary>
    public sealed class SessionEvent
    {
        internal SessionEvent(SessionEventKind kind)
        {
            Kind = kind;
        }

        /// <summary>What happened.</summary>
        public SessionEventKind Kind { get; private set; }

        /// <summary>The state after it.</summary>
        public SessionState State { get; internal set; }

        /// <summary>Whose end this is; null for StateChanged.</summary>
        public DepthRequest Request { get; internal set; }

        /// <summary>Of Answered.</summary>
        public DepthAnswer Answer { get; internal set; }

        /// <summary>Of Failed; of StateChanged where the new state has a cause.</summary>
        public BridgeError Error { get; internal set; }

        /// <summary>The server's account of itself, once it was given.</summary>
        public ServerHello Server { get; internal set; }

        /// <summary>Of Answered: from sending to the answer, milliseconds.</summary>
        public double RoundTripMs { get; internal set; }
    }

    /// <summary>What has happened since the session was made; a copy that does not change.</summary>
    public sealed class SessionCounters
    {
        /// <summary>Accepted by Submit.</summary>
        public long Submitted { get; internal set; }

        /// <summary>Put on the wire, again included.</summary>
        public long Sent { get; internal set; }

        /// <summary>Ended with an answer.</summary>
        public long Answered { get; internal set; }

        /// <summary>Ended with an error, timeouts included.</summary>
        public long Failed { get; internal set; }

        /// <summary>Of those: no answer in time.</summary>
        public long TimedOut { get; internal set; }

        /// <summary>Replaced by a newer frame.</summary>
        public long Dropped { get; internal set; }

        /// <summary>Answers that nobody waited for any more, discarded.</summary>
        public long Stale { get; internal set; }

        /// <summary>Connections after the first.</summary>
        public long Reconnects { get; internal set; }

        /// <summary>Of the last answer, milliseconds.</summary>
        public double LastRoundTripMs { get; internal set; }

        internal SessionCounters Copy()
        {
            return (SessionCounters)MemberwiseClone();
        }
    }
}
