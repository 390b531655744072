// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Globalization;

namespace Depthbridge
{
    /// <summary>What a <see cref="JsonValue"/> is. A number without fraction or exponent that fits 64 bits is an Integer.</summary>
    public enum JsonKind
    {
        /// <summary>null</summary>
        Null,
        /// <summary>true or false</summary>
        Boolean,
        /// <summary>a whole number of at most 64 bits</summary>
        Integer,
        /// <summary>any other number</summary>
        Number,
        /// <summary>a string</summary>
        Text,
        /// <summary>an array</summary>
        Array,
        /// <summary>an object</summary>
        Object
    }

    /// <summary>A JSON value that was read; it never changes. Of two members of one name the last one counts.</summary>
    public sealed class JsonValue
    {
        private readonly bool _boolean;
        private readonly long _integer;
        private readonly double _number;
        private readonly string _text;
        private readonly List<JsonValue> _items;
        private readonly List<string> _names;
        private readonly Dictionary<string, JsonValue> _members;

        internal JsonValue()
        {
        }

        internal JsonValue(bool value)
        {
            Kind = JsonKind.Boolean;
            _boolean = value;
        }

        internal JsonValue(long value)
        {
            Kind = JsonKind.Integer;
            _integer = value;
            _number = value;
        }

        internal JsonValue(double value)
        {
            Kind = JsonKind.Number;
            _number = value;
        }

        internal JsonValue(string value)
        {
            Kind = JsonKind.Text;
            _text = value;
        }

        internal JsonValue(List<JsonValue> items)
        {
            Kind = JsonKind.Array;
            _items = items;
        }

        internal JsonValue(List<string> names, Dictionary<string, JsonValue> members)
        {
            Kind = JsonKind.Object;
            _names = names;
            _members = members;
        }

        /// <summary>What this is.</summary>
        public JsonKind Kind { get; private set; }

        /// <summary>Whether this is JSON's null.</summary>
        public bool IsNull
        {
            get { return Kind == JsonKind.Null; }
        }

        /// <summary>How many elements an array or members an object has; 0 for all else.</summary>
        public int Count
        {
            get { return _items != null ? _items.Count : _names != null ? _names.Count : 0; }
        }

        /// <summary>The names of an object's members in the order of the text; none for all else.</summary>
        public IEnumerable<string> Names
        {
            get { return _names ?? (IEnumerable<string>)new string[0]; }
        }

        /// <summary>The elements of an array; none for all else.</summary>
        public IEnumerable<JsonValue> Items
        {
            get { return _items ?? (IEnumerable<JsonValue>)new JsonValue[0]; }
        }

        /// <summary>The member of that name; null where there is none, where it is JSON's null, or where this is no object.</summary>
        public JsonValue this[string name]
        {
            get
            {
                JsonValue found;
                return _members != null && _members.TryGetValue(name, out found) && !found.IsNull ? found : null;
            }
        }

        /// <summary>The element at that place of an array. <see cref="JsonException"/> outside it.</summary>
        public JsonValue this[int index]
        {
            get
            {
                if (_items == null || index < 0 || index >= _items.Count)
                {
                    throw new JsonException("There is no element " + index + " in a JSON " + Named() + " of " + Count + ".");
                }
                return _items[index];
            }
        }

        /// <summary>Whether this is an object that has that member, be it null.</summary>
        public bool Has(string name)
        {
            return _members != null && _members.ContainsKey(name);
        }

        /// <summary>The member of that name. <see cref="JsonException"/> where there is none or it is null.</summary>
        public JsonValue Need(string name)
        {
            var found = this[name];
            if (found == null)
            {
                throw new JsonException("The JSON " + Named() + " has no '" + name + "'.");
            }
            return found;
        }

        /// <summary>As a number. <see cref="JsonException"/> for another kind.</summary>
        public double AsDouble()
        {
            Check(Kind == JsonKind.Integer || Kind == JsonKind.Number, "a number");
            return _number;
        }

        /// <summary>As a whole number, 2.0 included. <see cref="JsonException"/> for another kind or a fraction.</summary>
        public long AsLong()
        {
            if (Kind == JsonKind.Number && _number == System.Math.Floor(_number) && System.Math.Abs(_number) < 9e15)
            {
                return (long)_number;
            }
            Check(Kind == JsonKind.Integer, "a whole number");
            return _integer;
        }

        /// <summary>As a whole number of 32 bits. <see cref="JsonException"/> for another kind or size.</summary>
        public int AsInt()
        {
            var value = AsLong();
            if (value < int.MinValue || value > int.MaxValue)
            {
                throw new JsonException("The JSON number " + value.ToString(CultureInfo.InvariantCulture) + " is too large here.");
            }
            return (int)value;
        }

        /// <summary>As a string. <see cref="JsonException"/> for another kind.</summary>
        public string AsText()
        {
            Check(Kind == JsonKind.Text, "a string");
            return _text;
        }

        /// <summary>As true or false. <see cref="JsonException"/> for another kind.</summary>
        public bool AsBool()
        {
            Check(Kind == JsonKind.Boolean, "true or false");
            return _boolean;
        }

        /// <summary>The text of a string; of all else its JSON.</summary>
        public string ToDisplay()
        {
            return Kind == JsonKind.Text ? _text : ToString();
        }

        /// <summary>Compact JSON.</summary>
        public override string ToString()
        {
            var writer = new JsonWriter();
            Write(writer);
            return writer.ToString();
        }

        /// <summary>Writes this as the next value.</summary>
        public void Write(JsonWriter writer)
        {
            switch (Kind)
            {
                case JsonKind.Boolean:
                    writer.Value(_boolean);
                    break;
                case JsonKind.Integer:
                    writer.Value(_integer);
                    break;
                case JsonKind.Number:
                    writer.Value(_number);
                    break;
                case JsonKind.Text:
                    writer.Value(_text);
                    break;
                case JsonKind.Array:
                    WriteItems(writer);
                    break;
                case JsonKind.Object:
                    WriteMembers(writer);
                    break;
                default:
                    writer.Null();
                    break;
            }
        }

        private void WriteItems(JsonWriter writer)
        {
            writer.BeginArray();
            foreach (var item in _items)
            {
                item.Write(writer);
            }
            writer.EndArray();
        }

        private void WriteMembers(JsonWriter writer)
        {
            writer.BeginObject();
            foreach (var name in _names)
            {
                writer.Name(name);
                _members[name].Write(writer);
            }
            writer.EndObject();
        }

        private void Check(bool fits, string wanted)
        {
            if (!fits)
            {
                throw new JsonException("A JSON " + Named() + " stands where " + wanted + " is expected.");
            }
        }

        private string Named()
        {
            switch (Kind)
            {
                case JsonKind.Boolean: return "boolean";
                case JsonKind.Integer: return "integer";
                case JsonKind.Number: return "number";
                case JsonKind.Text: return "string";
                case JsonKind.Array: return "array";
                case JsonKind.Object: return "object";
                default: return "null";
            }
        }
    }
}
