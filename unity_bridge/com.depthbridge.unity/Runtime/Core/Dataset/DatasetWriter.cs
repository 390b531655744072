// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace Depthbridge
{
    /// <summary>
    /// Writes a capture folder (images/, masks/, depth/, camera_intrinsics.json, annotations.json) on a thread of its own. Every file
    /// appears whole; a stop at any time leaves a folder that can be read, with the pictures that annotations.json names.
    /// </summary>
    public sealed class DatasetWriter : IDisposable
    {
        private const string Annotations = "annotations.json";
        private const string Intrinsics = "camera_intrinsics.json";

        private readonly DatasetOptions _options;
        private readonly WorkQueue _queue;
        private readonly MaskBoxes _boxes = new MaskBoxes();
        private readonly List<string> _entries = new List<string>();
        private PinholeIntrinsics _first;
        private int _flushed;
        private int _accepted;
        private volatile string _error;

        /// <summary>Makes the folder.</summary>
        /// <exception cref="DepthbridgeException">It cannot be made.</exception>
        public DatasetWriter(DatasetOptions options)
        {
            _options = options;
            try
            {
                Folder = Choose(Path.GetFullPath(options.Folder), options.Overwrite);
                Directory.CreateDirectory(Path.Combine(Folder, "images"));
                Directory.CreateDirectory(Path.Combine(Folder, "masks"));
            }
            catch (Exception error) when (IsFileError(error))
            {
                throw new DepthbridgeException(
                    "The capture folder " + options.Folder + " cannot be made: " + error.Message + " Give one that may be written to.",
                    error);
            }
            _queue = new WorkQueue("Depthbridge dataset", options.Capacity, Fail, () => Guarded(Flush));
        }

        /// <summary>Where the capture is.</summary>
        public string Folder { get; private set; }

        /// <summary>Pictures taken in so far.</summary>
        public int Accepted
        {
            get { return _accepted; }
        }

        /// <summary>Why nothing more is written, in one sentence; null while all is well.</summary>
        public string Error
        {
            get { return _error; }
        }

        /// <summary>
        /// Takes a picture in; for one thread. False when the queue is full, after an error, or when finished: the frame stays the caller's
        /// then and Release is not called.
        /// </summary>
        public bool TryAdd(DatasetFrame frame)
        {
            var number = _accepted;
            if (_error != null || !_queue.TryAdd(() => Write(number, frame)))
            {
                return false;
            }
            _accepted++;
            return true;
        }

        /// <summary>Blocks until there is room for one more; false after that time, after an error, or when finished.</summary>
        public bool WaitForRoom(int timeoutMs)
        {
            return _error == null && _queue.WaitForRoom(timeoutMs) && _error == null;
        }

        /// <summary>Writes what waits and the last annotations.json, then ends the thread. May be repeated.</summary>
        /// <returns>False when it was not done after that time; it goes on in the background, as long as the process lives.</returns>
        public bool Finish(int timeoutMs)
        {
            return _queue.Finish(timeoutMs);
        }

        /// <summary>Finish, within half a minute.</summary>
        public void Dispose()
        {
            Finish(30000);
        }

        private static string Choose(string folder, bool overwrite)
        {
            var chosen = folder;
            for (var number = 2; !overwrite && IsTaken(chosen); number++)
            {
                chosen = folder + "_" + number.ToString("000", CultureInfo.InvariantCulture);
            }
            return chosen;
        }

        private static bool IsTaken(string folder)
        {
            return File.Exists(folder) || File.Exists(Path.Combine(folder, Annotations)) || File.Exists(Path.Combine(folder, Intrinsics)) ||
                Directory.Exists(Path.Combine(folder, "images")) || Directory.Exists(Path.Combine(folder, "masks"));
        }

        private static bool IsFileError(Exception error)
        {
            return error is IOException || error is UnauthorizedAccessException || error is ArgumentException ||
                error is NotSupportedException;
        }

        private void Write(int number, DatasetFrame frame)
        {
            try
            {
                if (_error == null)
                {
                    Guarded(() => WriteFrame(number, frame));
                }
            }
            finally
            {
                if (frame.Release != null)
                {
                    frame.Release();
                }
            }
        }

        private void WriteFrame(int number, DatasetFrame frame)
        {
            var name = number.ToString("00000", CultureInfo.InvariantCulture);
            WriteFile("images", name + ".png", file => PngWriter.WriteRgb(file, frame.Rgba, frame.Width, frame.Height, frame.Origin));
            WriteFile("masks", name + ".png", file => PngWriter.WriteGrey16(file, frame.Mask, frame.Width, frame.Height, frame.Origin));
            if (frame.Depth.Count > 0)
            {
                Directory.CreateDirectory(Path.Combine(Folder, "depth"));
                WriteFile("depth", name + ".exr", file => ExrWriter.WriteFloat(file, frame.Depth, frame.Width, frame.Height, frame.Origin));
            }
            if (_first == null)
            {
                _first = frame.Camera;
                WriteText(Intrinsics, DatasetJson.Intrinsics(frame.Camera) + "\n");
            }
            _boxes.Read(frame.Mask, frame.Width, frame.Height, frame.Origin);
            _entries.Add(DatasetJson.Entry(name + ".png", frame, _boxes, _options.CameraPerImage || !IsFirst(frame.Camera)));
            if (_entries.Count - _flushed >= Math.Max(_options.FlushEvery, _entries.Count / 20))
            {
                Flush();
            }
        }

        private bool IsFirst(PinholeIntrinsics camera)
        {
            return camera.Fx == _first.Fx && camera.Fy == _first.Fy && camera.Cx == _first.Cx && camera.Cy == _first.Cy &&
                camera.Width == _first.Width && camera.Height == _first.Height;
        }

        private void Flush()
        {
            if (_entries.Count == _flushed)
            {
                return;
            }
            WriteText(Annotations, "[\n" + string.Join(",\n", _entries) + "\n]\n");
            _flushed = _entries.Count;
        }

        private void WriteText(string name, string text)
        {
            var bytes = new UTF8Encoding(false).GetBytes(text);
            WriteFile("", name, file => file.Write(bytes, 0, bytes.Length));
        }

        /// <summary>A file appears under its name only once it is whole.</summary>
        private void WriteFile(string folder, string name, Action<Stream> write)
        {
            var target = Path.Combine(Path.Combine(Folder, folder), name);
            var part = target + ".part";
            try
            {
                using (var file = new FileStream(part, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16))
                {
                    write(file);
                }
                if (File.Exists(target))
                {
                    File.Replace(part, target, null);
                }
                else
                {
                    File.Move(part, target);
                }
            }
            catch
            {
                TryDelete(part);
                throw;
            }
        }

        private static void TryDelete(string path)
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception error) when (IsFileError(error))
            {
                // What made the writing fail is told; that its rest stays behind is not worth a second sentence.
            }
        }

        private void Guarded(Action write)
        {
            try
            {
                write();
            }
            catch (Exception error) when (IsFileError(error) || error is DepthbridgeException)
            {
                Fail(error);
            }
        }

        private void Fail(Exception error)
        {
            if (_error == null)
            {
                _error = "The capture in " + Folder + " ends after " + _entries.Count + " pictures: " + error.Message;
            }
        }
    }
}
