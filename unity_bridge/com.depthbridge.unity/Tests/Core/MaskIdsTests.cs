// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using NUnit.Framework;

namespace Depthbridge.Tests
{
    [TestFixture]
    public class MaskIdsTests
    {
        [Test]
        public void AKeyKeepsItsId()
        {
            var ids = new MaskIds();
            var cube = new object();
            Assert.That(ids.IdOf(cube), Is.EqualTo(1));
            Assert.That(ids.IdOf(-4711), Is.EqualTo(2));
            Assert.That(ids.IdOf("box"), Is.EqualTo(3));
            Assert.That(ids.IdOf(cube), Is.EqualTo(1));
            Assert.That(ids.IdOf((object)-4711), Is.EqualTo(2));
            Assert.That(ids.IdOf("bo" + "x"), Is.EqualTo(3));
            Assert.That(ids.KeyOf(1), Is.SameAs(cube));
            Assert.That(ids.KeyOf(2), Is.EqualTo(-4711));
            Assert.That(ids.KeyOf(0), Is.Null);
            Assert.That(ids.KeyOf(4), Is.Null);
            Assert.That(ids.Count, Is.EqualTo(3));
            Assert.Throws<DepthbridgeException>(() => ids.IdOf(null));
        }

        [Test]
        public void TheLastIdIs65535AndThenASentence()
        {
            var ids = new MaskIds();
            for (var key = 0; key < 65535; key++)
            {
                Assert.That(ids.IdOf(key), Is.EqualTo(key + 1));
            }
            var error = Assert.Throws<DepthbridgeException>(() => ids.IdOf(65535));
            Assert.That(error.Message, Is.StringContaining("65535").And.StringEnding("."));
            Assert.Throws<DepthbridgeException>(() => ids.IdOf(new object()));
            Assert.That(ids.IdOf(7), Is.EqualTo(8));
            ids.Clear();
            Assert.That(ids.IdOf(65535), Is.EqualTo(1));
        }

        [Test]
        public void EveryIdSurvivesBytesAndColours()
        {
            var seen = new HashSet<int>();
            for (var id = 0; id <= 65535; id++)
            {
                var bytes = new byte[3];
                MaskIds.ToBytes(id, bytes, 1);
                Assert.That(bytes[1] + 256 * bytes[2], Is.EqualTo(id));
                Assert.That(MaskIds.FromBytes(bytes, 1), Is.EqualTo(id));
                var colour = MaskIds.ToColour(id);
                Assert.That(colour[3], Is.EqualTo(255));
                Assert.That(MaskIds.FromColour(colour[0], colour[1], colour[2]), Is.EqualTo(id));
                Assert.That(seen.Add(colour[0] | colour[1] << 8 | colour[2] << 16), Is.True);
            }
            Assert.That(MaskIds.ToColour(0), Is.EqualTo(new byte[] { 0, 0, 0, 255 }));
        }

        [Test]
        public void AColourBesideThemIsNoId()
        {
            var ids = 0;
            for (var colour = 0; colour < 1 << 24; colour += 251)
            {
                var id = MaskIds.FromColour((byte)colour, (byte)(colour >> 8), (byte)(colour >> 16));
                Assert.That(id, Is.InRange(-1, 65535));
                ids += id >= 0 ? 1 : 0;
            }
            Assert.That(ids / 66841.0, Is.EqualTo(1 / 256.0).Within(0.001));
        }

        [TestCase(-1)]
        [TestCase(65536)]
        public void AnIdOutsideIsRefused(int id)
        {
            Assert.Throws<DepthbridgeException>(() => MaskIds.ToColour(id));
            Assert.Throws<DepthbridgeException>(() => MaskIds.ToBytes(id, new byte[2], 0));
        }
    }
}
