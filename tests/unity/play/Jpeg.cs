// SPDX-License-Identifier: Apache-2.0
using System.Diagnostics;
using System.IO;

namespace Play
{
    /// <summary>Unity's JPEG encoder, played by Pillow: the lower row comes first, the file is upright.</summary>
    public static class Jpeg
    {
        private const string Script =
            "import sys; from PIL import Image; w, h, q = map(int, sys.argv[1:4]); " +
            "i = Image.frombytes('RGBA', (w, h), sys.stdin.buffer.read(4 * w * h)); " +
            "i.convert('RGB').transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(sys.stdout.buffer, 'JPEG', quality=q, subsampling=0)";

        public static byte[] Encode(string python, byte[] rgba, int width, int height, int quality)
        {
            var start = new ProcessStartInfo(python, "-c \"" + Script + "\" " + width + " " + height + " " + quality)
            {
                UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true,
            };
            using (var process = Process.Start(start))
            using (var encoded = new MemoryStream())
            {
                process.StandardInput.BaseStream.Write(rgba, 0, rgba.Length);
                process.StandardInput.BaseStream.Flush();
                process.StandardOutput.BaseStream.CopyTo(encoded);
                process.WaitForExit();
                return encoded.ToArray();
            }
        }
    }
}
