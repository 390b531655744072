// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Depthbridge
{
    /// <summary>
    /// Writes one JSON document, compact, numbers in the invariant culture and with as many digits as reading them back takes.
    /// </summary>
    /// <remarks>
    /// Unity's JsonUtility cannot write null, dictionaries, nested arrays or anonymous types, and writes NaN, which is not JSON.
    /// This writer refuses NaN, infinities and halves of surrogate pairs with a sentence that names the place.
    /// </remarks>
    public sealed class JsonWriter
    {
        private readonly StringBuilder _text = new StringBuilder(256);
        private readonly Stack<Level> _levels = new Stack<Level>();
        private bool _done;

        private sealed class Level
        {
            public bool IsObject;
            public bool HasMembers;
            public string Name;
        }

        /// <summary>Opens an object; close it with <see cref="EndObject"/>.</summary>
        public JsonWriter BeginObject()
        {
            Place();
            _text.Append('{');
            _levels.Push(new Level { IsObject = true });
            return this;
        }

        /// <summary>Closes the innermost object.</summary>
        public JsonWriter EndObject()
        {
            End(true, '}');
            return this;
        }

        /// <summary>Opens an array; close it with <see cref="EndArray"/>.</summary>
        public JsonWriter BeginArray()
        {
            Place();
            _text.Append('[');
            _levels.Push(new Level());
            return this;
        }

        /// <summary>Closes the innermost array.</summary>
        public JsonWriter EndArray()
        {
            End(false, ']');
            return this;
        }

        /// <summary>The name of the next member of the innermost object.</summary>
        public JsonWriter Name(string name)
        {
            var level = _levels.Count > 0 ? _levels.Peek() : null;
            if (level == null || !level.IsObject || level.Name != null || name == null)
            {
                throw new JsonException("The JSON member '" + name + "' was named outside an object, or after a name without a value.");
            }
            if (level.HasMembers)
            {
                _text.Append(',');
            }
            level.HasMembers = true;
            level.Name = name;
            AppendText(name);
            _text.Append(':');
            return this;
        }

        /// <summary>A string, or null.</summary>
        public JsonWriter Value(string value)
        {
            if (value == null)
            {
                return Null();
            }
            Place();
            AppendText(value);
            return this;
        }

        /// <summary>A whole number.</summary>
        public JsonWriter Value(long value)
        {
            Place();
            _text.Append(value.ToString(CultureInfo.InvariantCulture));
            return this;
        }

        /// <summary>A number; <see cref="JsonException"/> for NaN and infinities, which JSON does not have.</summary>
        public JsonWriter Value(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value))
            {
                throw new JsonException(
                    Here() + " is " + value.ToString(CultureInfo.InvariantCulture) + ", which is no JSON number; give a finite number.");
            }
            Place();
            var text = value.ToString("R", CultureInfo.InvariantCulture);
            if (double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture) != value)
            {
                text = value.ToString("G17", CultureInfo.InvariantCulture); // some runtimes' "R" loses the last bit
            }
            _text.Append(text);
            return this;
        }

        /// <summary>true or false.</summary>
        public JsonWriter Value(bool value)
        {
            Place();
            _text.Append(value ? "true" : "false");
            return this;
        }

        /// <summary>null.</summary>
        public JsonWriter Null()
        {
            Place();
            _text.Append("null");
            return this;
        }

        /// <summary>Whatever was read before, as it was; null writes null.</summary>
        public JsonWriter Value(JsonValue value)
        {
            if (value == null)
            {
                return Null();
            }
            value.Write(this);
            return this;
        }

        /// <summary>An array of numbers.</summary>
        public JsonWriter Values(IEnumerable<double> values)
        {
            BeginArray();
            foreach (var value in values)
            {
                Value(value);
            }
            return EndArray();
        }

        /// <summary>The finished document. <see cref="JsonException"/> while something is still open.</summary>
        public override string ToString()
        {
            if (!_done || _levels.Count > 0)
            {
                throw new JsonException("The JSON document is not finished: " + _levels.Count + " objects or arrays are open.");
            }
            return _text.ToString();
        }

        /// <summary>The finished document in UTF-8, without a byte order mark.</summary>
        public byte[] ToBytes()
        {
            return new UTF8Encoding(false).GetBytes(ToString());
        }

        private void Place()
        {
            if (_levels.Count == 0)
            {
                if (_done)
                {
                    throw new JsonException("A JSON document has one value; a second one was written.");
                }
                _done = true;
                return;
            }
            var level = _levels.Peek();
            if (level.IsObject)
            {
                if (level.Name == null)
                {
                    throw new JsonException("A value in a JSON object needs a name.");
                }
                level.Name = null;
                return;
            }
            if (level.HasMembers)
            {
                _text.Append(',');
            }
            level.HasMembers = true;
        }

        private void End(bool isObject, char bracket)
        {
            if (_levels.Count == 0 || _levels.Peek().IsObject != isObject || _levels.Peek().Name != null)
            {
                throw new JsonException("'" + bracket + "' closes nothing that is open in the JSON document.");
            }
            _levels.Pop();
            _text.Append(bracket);
        }

        private string Here()
        {
            foreach (var level in _levels)
            {
                if (level.Name != null)
                {
                    return "The JSON member '" + level.Name + "'";
                }
            }
            return "A JSON value";
        }

        private void AppendText(string value)
        {
            _text.Append('"');
            for (var i = 0; i < value.Length; i++)
            {
                var c = value[i];
                if (char.IsSurrogate(c))
                {
                    if (!char.IsHighSurrogate(c) || i + 1 >= value.Length || !char.IsLowSurrogate(value[i + 1]))
                    {
                        throw new JsonException(Here() + " holds half of a surrogate pair at character " + i + "; give whole characters.");
                    }
                    _text.Append(c).Append(value[++i]);
                }
                else
                {
                    AppendCharacter(c);
                }
            }
            _text.Append('"');
        }

        private void AppendCharacter(char c)
        {
            if (c == '"' || c == '\\')
            {
                _text.Append('\\').Append(c);
            }
            else if (c >= ' ' && c != '\u007f' && c != '\u2028' && c != '\u2029')
            {
                _text.Append(c);
            }
            else
            {
                _text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
            }
        }
    }
}
