// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Text;
using System.Threading;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    [TestFixture]
    public class JsonTests
    {
        [TestCase("")]
        [TestCase(" ")]
        [TestCase("tru")]
        [TestCase("True")]
        [TestCase("nul")]
        [TestCase("NaN")]
        [TestCase("Infinity")]
        [TestCase("-")]
        [TestCase("-Infinity")]
        [TestCase("+1")]
        [TestCase("01")]
        [TestCase("-01")]
        [TestCase("1.")]
        [TestCase(".5")]
        [TestCase("1e")]
        [TestCase("1e+")]
        [TestCase("0x10")]
        [TestCase("1,5")]
        [TestCase("1e999")]
        [TestCase("-1e999")]
        [TestCase("[1,]")]
        [TestCase("[,1]")]
        [TestCase("[1 2]")]
        [TestCase("[1")]
        [TestCase("]")]
        [TestCase("{\"a\":1,}")]
        [TestCase("{\"a\" 1}")]
        [TestCase("{a:1}")]
        [TestCase("{1:1}")]
        [TestCase("{\"a\":}")]
        [TestCase("{\"a\":1")]
        [TestCase("'a'")]
        [TestCase("\"a")]
        [TestCase("\"a\nb\"")]
        [TestCase("\"\\x\"")]
        [TestCase("\"\\u12\"")]
        [TestCase("\"\\u12g4\"")]
        [TestCase("\"\\")]
        [TestCase("\"\\ud800\"")]
        [TestCase("\"\\udc00\"")]
        [TestCase("\"\\ud800\\ud800\"")]
        [TestCase("\"\\udc00\\ud800\"")]
        [TestCase("1 2")]
        [TestCase("{} {}")]
        [TestCase("// no\n1")]
        [TestCase("\u00a01")]
        [TestCase("\ufeff1")]
        [TestCase("\u0661")]
        public void WhatIsNotJsonIsRefusedWithASentence(string text)
        {
            var error = Assert.Throws<JsonException>(() => JsonReader.Read(text));
            Assert.That(error.Message, Is.StringEnding("."));
        }

        [TestCase("1", 1L)]
        [TestCase("-0", 0L)]
        [TestCase("9223372036854775807", long.MaxValue)]
        [TestCase("-9223372036854775808", long.MinValue)]
        public void WholeNumbersStayWhole(string text, long value)
        {
            var read = JsonReader.Read(text);
            Assert.That(read.Kind, Is.EqualTo(JsonKind.Integer));
            Assert.That(read.AsLong(), Is.EqualTo(value));
        }

        [TestCase("9223372036854775808", 9223372036854775808.0)]
        [TestCase("1.0", 1.0)]
        [TestCase("1e2", 100.0)]
        [TestCase("-2.5E-3", -0.0025)]
        [TestCase("5e-324", 5e-324)]
        [TestCase("1e-400", 0.0)]
        [TestCase("1.7976931348623157e308", double.MaxValue)]
        [TestCase("0.1", 0.1)]
        public void OtherNumbersAreDoubles(string text, double value)
        {
            var read = JsonReader.Read(text);
            Assert.That(read.Kind, Is.EqualTo(JsonKind.Number));
            Assert.That(read.AsDouble(), Is.EqualTo(value));
        }

        [Test]
        public void TheLastOfTwoMembersOfOneNameCounts()
        {
            var read = JsonReader.Read("{\"a\":1,\"b\":2,\"a\":3}");
            Assert.That(read.Need("a").AsInt(), Is.EqualTo(3));
            Assert.That(read.Count, Is.EqualTo(2));
            Assert.That(read.ToString(), Is.EqualTo("{\"a\":3,\"b\":2}"));
        }

        [Test]
        public void TextIsUnescaped()
        {
            var read = JsonReader.Read("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"");
            Assert.That(read.AsText(), Is.EqualTo("\"\\/\b\f\n\r\t\u00e9\ud83d\ude00"));
            Assert.That(JsonReader.Read(Encoding.UTF8.GetBytes("\"\ud83d\ude00\u007f\"")).AsText(), Is.EqualTo("\ud83d\ude00\u007f"));
        }

        [Test]
        public void BytesThatAreNotUtf8AreRefused()
        {
            Assert.Throws<JsonException>(() => JsonReader.Read(new byte[] { 34, 255, 34 }));
            Assert.Throws<JsonException>(() => JsonReader.Read(new byte[] { 34, 0xED, 0xA0, 0x80, 34 })); // half of a pair
            Assert.Throws<JsonException>(() => JsonReader.Read(new byte[] { 34, 0xC0, 0x80, 34 })); // longer than need be
        }

        [Test]
        public void DepthAndSizeAreLimited()
        {
            Assert.That(JsonReader.Read(new string('[', 128) + new string(']', 128)).Count, Is.EqualTo(1));
            Assert.Throws<JsonException>(() => JsonReader.Read(new string('[', 129) + new string(']', 129)));
            Assert.Throws<JsonException>(() => JsonReader.Read(new string('[', 1000000)));
            Assert.Throws<JsonException>(() => JsonReader.Read("{\"a\":" + new string('[', 1000000)));
            Assert.Throws<JsonException>(() => JsonReader.Read("[1,2,3]", 6));
            Assert.That(JsonReader.Read("[1,2,3]", 7).Count, Is.EqualTo(3));
        }

        [Test]
        public void EveryPrefixOfADocumentIsRefused()
        {
            const string whole = "{\"a\":[1,2.5e3,\"x\\u00e9\\n\",true,false,null],\"b\":{}}";
            Assert.That(JsonReader.Read(whole).ToString(), Is.EqualTo("{\"a\":[1,2500,\"x\u00e9\\u000a\",true,false,null],\"b\":{}}"));
            for (var length = 0; length < whole.Length; length++)
            {
                Assert.Throws<JsonException>(() => JsonReader.Read(whole.Substring(0, length)));
            }
        }

        [Test]
        public void RandomTextIsReadOrRefusedAndNothingElse()
        {
            var random = new Random(4);
            const string letters = "{}[]\",:0123456789.eE+-\\u truefalsnx\ud800\udc00\u0000";
            for (var round = 0; round < 20000; round++)
            {
                var text = new StringBuilder();
                for (var i = random.Next(24); i > 0; i--)
                {
                    text.Append(letters[random.Next(letters.Length)]);
                }
                try
                {
                    JsonReader.Read(text.ToString()).ToString();
                }
                catch (JsonException)
                {
                    continue;
                }
            }
        }

        [TestCase(double.NaN)]
        [TestCase(double.PositiveInfinity)]
        [TestCase(double.NegativeInfinity)]
        public void WhatIsNoNumberIsNotWritten(double value)
        {
            var writer = new JsonWriter().BeginObject().Name("fx");
            var error = Assert.Throws<JsonException>(() => writer.Value(value));
            Assert.That(error.Message, Is.StringContaining("'fx'"));
        }

        [Test]
        public void HalfACharacterIsNotWritten()
        {
            foreach (var text in new[] { "\ud800", "a\udc00", "\ud800\ud800", "\udc00\ud800" })
            {
                Assert.Throws<JsonException>(() => new JsonWriter().Value(text));
            }
        }

        [Test]
        public void NumbersAreWrittenTheSameInEveryCulture()
        {
            var before = Thread.CurrentThread.CurrentCulture;
            try
            {
                foreach (var name in new[] { "de-DE", "ar-SA", "fa-IR", "hi-IN", "" })
                {
                    Thread.CurrentThread.CurrentCulture = new CultureInfo(name);
                    var written = new JsonWriter().Values(new[] { 0.5, -1234567.25, 1e21, 5e-324, 0.1 + 0.2 }).ToString();
                    Assert.That(written, Is.StringStarting("[0.5,-1234567.25,1E+21,"));
                    Assert.That(written, Is.StringEnding("E-324,0.30000000000000004]"));
                    Assert.That(new JsonWriter().Value(-12L).ToString(), Is.EqualTo("-12"));
                    Assert.That(JsonReader.Read(written)[0].AsDouble(), Is.EqualTo(0.5));
                }
            }
            finally
            {
                Thread.CurrentThread.CurrentCulture = before;
            }
        }

        [Test]
        public void DoublesReadBackBitForBit()
        {
            var random = new Random(1);
            var bytes = new byte[8];
            for (var round = 0; round < 20000; round++)
            {
                random.NextBytes(bytes);
                var value = BitConverter.ToDouble(bytes, 0);
                if (!double.IsNaN(value) && !double.IsInfinity(value))
                {
                    var text = new JsonWriter().Value(value).ToString();
                    Assert.That(JsonReader.Read(text).AsDouble(), Is.EqualTo(value), text);
                }
            }
        }

        [Test]
        public void AWriterUsedWronglySaysSo()
        {
            Assert.Throws<JsonException>(() => new JsonWriter().ToString());
            Assert.Throws<JsonException>(() => new JsonWriter().BeginObject().ToString());
            Assert.Throws<JsonException>(() => new JsonWriter().BeginObject().Value(1L));
            Assert.Throws<JsonException>(() => new JsonWriter().BeginObject().Name("a").Name("b"));
            Assert.Throws<JsonException>(() => new JsonWriter().BeginObject().Name("a").EndObject());
            Assert.Throws<JsonException>(() => new JsonWriter().BeginObject().EndArray());
            Assert.Throws<JsonException>(() => new JsonWriter().Value(1L).Value(2L));
            Assert.Throws<JsonException>(() => new JsonWriter().BeginArray().Name("a"));
            Assert.Throws<JsonException>(() => new JsonWriter().EndArray());
        }

        [Test]
        public void AValueOfAnotherKindSaysSo()
        {
            var read = JsonReader.Read("{\"a\":[1,\"x\",1.5,null,true],\"n\":null,\"big\":3000000000}");
            Assert.Throws<JsonException>(() => read.AsText());
            Assert.Throws<JsonException>(() => read.Need("a")[1].AsDouble());
            Assert.Throws<JsonException>(() => read.Need("a")[2].AsLong());
            Assert.Throws<JsonException>(() => read.Need("a")[4].AsInt());
            Assert.Throws<JsonException>(() => read.Need("a")[5].AsInt());
            Assert.Throws<JsonException>(() => read.Need("a")[-1].AsInt());
            Assert.Throws<JsonException>(() => read.Need("a")[0][0].AsInt());
            Assert.Throws<JsonException>(() => read.Need("big").AsInt());
            Assert.Throws<JsonException>(() => read.Need("n"));
            Assert.Throws<JsonException>(() => read.Need("missing"));
            Assert.That(read["n"], Is.Null);
            Assert.That(read.Has("n"), Is.True);
            Assert.That(read["a"]["b"], Is.Null);
        }
    }
}
