// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Depthbridge
{
    /// <summary>
    /// Reads JSON as RFC 8259 has it and nothing else: no comments, trailing commas, NaN, leading zeros or byte order mark. Whatever
    /// comes in, the only exception is <see cref="JsonException"/>, and neither depth nor size can exhaust the machine.
    /// </summary>
    public sealed class JsonReader
    {
        /// <summary>How deep arrays and objects may be nested.</summary>
        public const int MaxDepth = 128;

        /// <summary>How many bytes, or characters, a document may have unless told otherwise.</summary>
        public const int DefaultMaxLength = 64 * 1024 * 1024;

        private readonly string _text;
        private int _at;
        private int _depth;

        private JsonReader(string text)
        {
            _text = text;
        }

        /// <summary>The value of a document.</summary>
        /// <param name="text">One JSON value, whitespace around it allowed.</param>
        /// <param name="maxLength">Longer documents are refused.</param>
        /// <exception cref="JsonException">It is not JSON; the message says where.</exception>
        public static JsonValue Read(string text, int maxLength = DefaultMaxLength)
        {
            if (text == null)
            {
                throw new JsonException("There is no text to read JSON from.");
            }
            CheckLength(text.Length, maxLength);
            var reader = new JsonReader(text);
            var value = reader.ReadValue();
            reader.SkipSpace();
            if (reader._at < text.Length)
            {
                throw reader.Wrong("something behind the end of the document");
            }
            return value;
        }

        /// <summary>The value of a document in UTF-8.</summary>
        /// <param name="utf8">One JSON value.</param>
        /// <param name="maxLength">Longer documents are refused.</param>
        /// <exception cref="JsonException">It is not UTF-8, or not JSON.</exception>
        public static JsonValue Read(byte[] utf8, int maxLength = DefaultMaxLength)
        {
            if (utf8 == null)
            {
                throw new JsonException("There are no bytes to read JSON from.");
            }
            CheckLength(utf8.Length, maxLength);
            string text;
            try
            {
                text = new UTF8Encoding(false, true).GetString(utf8);
            }
            catch (ArgumentException)
            {
                throw new JsonException("The JSON text is not UTF-8.");
            }
            return Read(text, maxLength);
        }

        private static void CheckLength(int length, int maxLength)
        {
            if (length > maxLength)
            {
                throw new JsonException("The JSON text has " + length + " bytes; at most " + maxLength + " are read.");
            }
        }

        private JsonValue ReadValue()
        {
            SkipSpace();
            if (_at >= _text.Length)
            {
                throw Wrong("the end of the text instead of a value");
            }
            switch (_text[_at])
            {
                case '{':
                    return ReadObject();
                case '[':
                    return ReadArray();
                case '"':
                    return new JsonValue(ReadText());
                case 't':
                    Take("true");
                    return new JsonValue(true);
                case 'f':
                    Take("false");
                    return new JsonValue(false);
                case 'n':
                    Take("null");
                    return new JsonValue();
                default:
                    return ReadNumber();
            }
        }

        private JsonValue ReadObject()
        {
            var names = new List<string>();
            var members = new Dictionary<string, JsonValue>(StringComparer.Ordinal);
            Enter();
            if (!TakeIf('}'))
            {
                do
                {
                    SkipSpace();
                    if (_at >= _text.Length || _text[_at] != '"')
                    {
                        throw Wrong("no name of a member");
                    }
                    var name = ReadText();
                    if (!TakeIf(':'))
                    {
                        throw Wrong("no ':' behind a name");
                    }
                    if (!members.ContainsKey(name))
                    {
                        names.Add(name);
                    }
                    members[name] = ReadValue();
                }
                while (TakeIf(','));
                if (!TakeIf('}'))
                {
                    throw Wrong("neither ',' nor '}' in an object");
                }
            }
            _depth--;
            return new JsonValue(names, members);
        }

        private JsonValue ReadArray()
        {
            var items = new List<JsonValue>();
            Enter();
            if (!TakeIf(']'))
            {
                do
                {
                    items.Add(ReadValue());
                }
                while (TakeIf(','));
                if (!TakeIf(']'))
                {
                    throw Wrong("neither ',' nor ']' in an array");
                }
            }
            _depth--;
            return new JsonValue(items);
        }

        private void Enter()
        {
            _at++;
            if (++_depth > MaxDepth)
            {
                throw new JsonException("The JSON text is nested more than " + MaxDepth + " deep at character " + _at + ".");
            }
        }

        private string ReadText()
        {
            var start = ++_at;
            while (_at < _text.Length && IsPlain(_text[_at]))
            {
                _at++;
            }
            if (_at < _text.Length && _text[_at] == '"')
            {
                return _text.Substring(start, _at++ - start);
            }
            var read = new StringBuilder(_text, start, _at - start, Math.Max(16, 2 * (_at - start)));
            while (true)
            {
                if (_at >= _text.Length)
                {
                    throw Wrong("the end of the text in a string");
                }
                var c = _text[_at++];
                if (c == '"')
                {
                    return CheckSurrogates(read.ToString());
                }
                if (c < ' ')
                {
                    _at--;
                    throw Wrong("a control character in a string");
                }
                read.Append(c == '\\' ? ReadEscape() : c);
            }
        }

        private static bool IsPlain(char c)
        {
            return c != '"' && c != '\\' && c >= ' ' && !char.IsSurrogate(c);
        }

        private char ReadEscape()
        {
            var c = _at < _text.Length ? _text[_at++] : '\0';
            switch (c)
            {
                case '"':
                case '\\':
                case '/':
                    return c;
                case 'b':
                    return '\b';
                case 'f':
                    return '\f';
                case 'n':
                    return '\n';
                case 'r':
                    return '\r';
                case 't':
                    return '\t';
                case 'u':
                    return ReadHex();
                default:
                    throw Wrong("an unknown escape in a string");
            }
        }

        private char ReadHex()
        {
            var code = 0;
            for (var i = 0; i < 4; i++)
            {
                var digit = _at < _text.Length ? "0123456789abcdef".IndexOf(char.ToLowerInvariant(_text[_at])) : -1;
                if (digit < 0)
                {
                    throw Wrong("no four hexadecimal digits behind \\u");
                }
                code = code * 16 + digit;
                _at++;
            }
            return (char)code;
        }

        private string CheckSurrogates(string text)
        {
            for (var i = 0; i < text.Length; i++)
            {
                if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                {
                    i++;
                }
                else if (char.IsSurrogate(text[i]))
                {
                    throw Wrong("half of a surrogate pair in a string");
                }
            }
            return text;
        }

        private JsonValue ReadNumber()
        {
            var start = _at;
            var whole = true;
            if (_text[_at] == '-')
            {
                _at++;
            }
            var first = _at;
            var digits = TakeDigits();
            if (digits == 0 || (digits > 1 && _text[first] == '0'))
            {
                _at = start;
                throw Wrong("no value");
            }
            if (_at < _text.Length && _text[_at] == '.')
            {
                _at++;
                whole = false;
                NeedDigits();
            }
            if (_at < _text.Length && (_text[_at] == 'e' || _text[_at] == 'E'))
            {
                _at++;
                whole = false;
                if (_at < _text.Length && (_text[_at] == '+' || _text[_at] == '-'))
                {
                    _at++;
                }
                NeedDigits();
            }
            return Number(_text.Substring(start, _at - start), whole);
        }

        private JsonValue Number(string text, bool whole)
        {
            long integer;
            if (whole && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out integer))
            {
                return new JsonValue(integer);
            }
            double number;
            var read = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
            if (!read || double.IsInfinity(number))
            {
                throw Wrong("a number beyond the range of 64 bits");
            }
            return new JsonValue(number);
        }

        private int TakeDigits()
        {
            var start = _at;
            while (_at < _text.Length && _text[_at] >= '0' && _text[_at] <= '9')
            {
                _at++;
            }
            return _at - start;
        }

        private void NeedDigits()
        {
            if (TakeDigits() == 0)
            {
                throw Wrong("no digit in a number where one is needed");
            }
        }

        private void Take(string word)
        {
            if (string.CompareOrdinal(_text, _at, word, 0, word.Length) != 0)
            {
                throw Wrong("no value");
            }
            _at += word.Length;
        }

        private bool TakeIf(char c)
        {
            SkipSpace();
            if (_at >= _text.Length || _text[_at] != c)
            {
                return false;
            }
            _at++;
            return true;
        }

        private void SkipSpace()
        {
            while (_at < _text.Length && (_text[_at] == ' ' || _text[_at] == '\n' || _text[_at] == '\r' || _text[_at] == '\t'))
            {
                _at++;
            }
        }

        private JsonException Wrong(string what)
        {
            return new JsonException("The JSON text has " + what + " at character " + _at + ".");
        }
    }
}
