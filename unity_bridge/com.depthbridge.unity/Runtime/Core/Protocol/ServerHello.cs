// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;

namespace Depthbridge
{
    /// <summary>What a server says of itself.</summary>
    public sealed class ServerHello
    {
        internal ServerHello(JsonValue json)
        {
            Json = json;
            ServerVersion = json.Need("server_version").AsText();
            Protocol = json.Need("protocol").AsText();
            Model = json.Need("model").AsText();
            Kind = json["kind"] != null ? json["kind"].AsText() : "";
            NeedsCamera = json["needs_camera"] != null && json["needs_camera"].AsBool();
            MaxMessageBytes = json.Need("max_message_bytes").AsLong();
            MaxHeaderBytes = json.Need("max_header_bytes").AsLong();
            MaxPixels = json.Need("max_pixels").AsLong();
            MaxObjects = json.Need("max_objects").AsLong();
            MaxInFlight = json.Need("max_in_flight").AsInt();
            if (MaxInFlight < 1)
            {
                throw new JsonException("The server announces max_in_flight " + MaxInFlight + ".");
            }
            var capabilities = new List<string>();
            foreach (var name in json.Need("capabilities").Items)
            {
                capabilities.Add(name.AsText());
            }
            Capabilities = capabilities;
        }

        /// <summary>The server's release.</summary>
        public string ServerVersion { get; private set; }

        /// <summary>The protocol it speaks.</summary>
        public string Protocol { get; private set; }

        /// <summary>The model that answers.</summary>
        public string Model { get; private set; }

        /// <summary>What the model's maps are: metric, relative or disparity.</summary>
        public string Kind { get; private set; }

        /// <summary>Whether the model has metres only with the camera's intrinsics.</summary>
        public bool NeedsCamera { get; private set; }

        /// <summary>For all frames of a message together; ZeroMQ drops the connection of a larger one without a word.</summary>
        public long MaxMessageBytes { get; private set; }

        /// <summary>For a request's header, which holds the objects.</summary>
        public long MaxHeaderBytes { get; private set; }

        /// <summary>Of a picture.</summary>
        public long MaxPixels { get; private set; }

        /// <summary>In a request.</summary>
        public long MaxObjects { get; private set; }

        /// <summary>How many requests may be under way.</summary>
        public int MaxInFlight { get; private set; }

        /// <summary>What the server can do.</summary>
        public IReadOnlyList<string> Capabilities { get; private set; }

        /// <summary>All of it.</summary>
        public JsonValue Json { get; private set; }
    }
}
