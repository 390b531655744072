// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;

namespace Depthbridge.Samples
{
    /// <summary>One captured frame against what must be in it.</summary>
    internal sealed class FrameCheck
    {
        private const double MostAwayPx = 1;
        private const double DepthTolerance = 1e-3; // of the distance
        private const double GreyTolerance = 6; // of 255

        private readonly CapturedFrame _frame;
        private readonly Target _target;
        private readonly Pixels _pixels;
        private readonly Shape _shape;
        private readonly int _width, _height;

        public FrameCheck(CapturedFrame with, CapturedFrame without, Target target)
        {
            _frame = with;
            _target = target;
            _width = with.Width;
            _height = with.Height;
            foreach (var patch in target.Patches)
            {
                patch.Project(with);
            }
            _pixels = new Pixels(target.Patches, _width, _height);
            var stored = Shape.Of(with.Image, without.Image, _width, _height);
            _shape = stored.UpsideDown(_height); // stored from the lower row, as CapturedFrame.Origin says
            IsPictureUpsideDown = stored.AwayFrom(target.Marker) < _shape.AwayFrom(target.Marker);
            IsMaskUpsideDown = WrongIds(true) < WrongIds(false);
            IsDepthUpsideDown = WrongDepths(true) < WrongDepths(false);
        }

        public bool IsPictureUpsideDown { get; private set; }

        public bool IsMaskUpsideDown { get; private set; }

        public bool IsDepthUpsideDown { get; private set; }

        /// <summary>Everything, a line each.</summary>
        public void Report(SelfTestReport report)
        {
            report.Add(
                "picture: the marker is seen", _shape.Found, "it is at " + _shape,
                "The camera does not render what is on the test's layer: run it in an empty scene, look at the console for shader " +
                "errors, and take the layer out of any culling of your pipeline.");
            report.Add("picture: rows", !IsPictureUpsideDown, Rows(IsPictureUpsideDown), Upside("pictures"));
            report.Add("mask: rows", !IsMaskUpsideDown, Rows(IsMaskUpsideDown), Upside("masks"));
            report.Add("depth: rows", !IsDepthUpsideDown, Rows(IsDepthUpsideDown), Upside("depth"));
            ReportIds(report);
            ReportDepth(report);
            ReportColour(report);
            ReportIntrinsics(report, "field of view 60");
        }

        /// <summary>Whether the picture is where pose and intrinsics say, and the mask with it.</summary>
        public void ReportIntrinsics(SelfTestReport report, string setup)
        {
            var away = (IsPictureUpsideDown ? _shape.UpsideDown(_height) : _shape).AwayFrom(_target.Marker);
            var camera = _frame.Intrinsics;
            var found = Text(
                "{0:0.00} px from where it must be; fx {1:0.00}, fy {2:0.00}, cx {3:0.00}, cy {4:0.00}", away, camera.Fx, camera.Fy, camera.Cx,
                camera.Cy);
            report.Add(
                "intrinsics: " + setup, _shape.Found && away <= MostAwayPx, found,
                "Distances are wrong by the focal length's error. Report this table; until then avoid this kind of camera.");
            int counted;
            var wrong = _pixels.Wrong((patch, at) => IdAt(at, IsMaskUpsideDown) != (patch != null ? patch.MaskValue : 0), out counted);
            report.Add(
                "mask and depth: " + setup, wrong == 0 && WrongDepths(IsDepthUpsideDown) == 0,
                Text("{0} ids and {1} depths of {2} pixels differ", wrong, WrongDepths(IsDepthUpsideDown), counted),
                "Masks are not drawn with the camera that the picture is. Report this table; until then avoid this kind of camera.");
        }

        private void ReportIds(SelfTestReport report)
        {
            int counted;
            var wrong = _pixels.Wrong((patch, at) => IdAt(at, IsMaskUpsideDown) != (patch != null ? patch.MaskValue : 0), out counted);
            report.Add(
                "mask: ids are exact", wrong == 0, Text("{0} of {1} pixels hold another id", wrong, counted),
                "Ids change between the shader and the array, as by an sRGB conversion, or objects are missing. Report this table " +
                "with the graphics API; another API of the Player Settings may do.");
            var mixed = _pixels.Mixed(_target.Patches, at => IdAt(at, IsMaskUpsideDown));
            report.Add(
                "mask: no ids between two others", mixed == 0, Text("{0} pixels at outlines hold an id that is not there", mixed),
                "The mask is antialiased or filtered: switch off what forces antialiasing in the driver's settings.");
        }

        private void ReportDepth(SelfTestReport report)
        {
            int counted;
            var worst = 0.0;
            _pixels.Wrong((patch, at) => Note(patch, DepthAt(at, IsDepthUpsideDown), ref worst), out counted);
            var wrong = WrongDepths(IsDepthUpsideDown);
            report.Add(
                "depth: planar metres", wrong == 0, Text("{0} of {1} pixels differ, by {2:0.0000} m at most", wrong, counted, worst),
                "Do not use true depth of this graphics API and pipeline; distances from the server are not concerned. Report this table.");
        }

        private void ReportColour(SelfTestReport report)
        {
            const string check = "picture: sRGB bytes";
            var found = Text("a grey of 128 came as {0:0}", _shape.Grey);
            if (!_target.IsUnlit)
            {
                report.Note(check, "not checked: there is no unlit shader at hand");
            }
            else if (Math.Abs(_shape.Grey - 55) <= GreyTolerance || Math.Abs(_shape.Grey - 188) <= GreyTolerance)
            {
                report.Add(
                    check, false, found + ", as of a conversion too few or too many",
                    "Pictures are too dark or too bright for the network. Report this table with the colour space.");
            }
            else if (Math.Abs(_shape.Grey - 127.5) <= GreyTolerance)
            {
                report.Add(check, true, found, "");
            }
            else
            {
                report.Note(check, found + ": exposure, tone mapping or another effect of your pipeline changes it");
            }
        }

        private int WrongIds(bool upsideDown)
        {
            int counted;
            return _pixels.Wrong((patch, at) => IdAt(at, upsideDown) != (patch != null ? patch.MaskValue : 0), out counted);
        }

        private int WrongDepths(bool upsideDown)
        {
            int counted;
            return _pixels.Wrong((patch, at) => IsWrong(patch, DepthAt(at, upsideDown)), out counted);
        }

        private static bool IsWrong(Patch patch, double depth)
        {
            return patch == null ? depth != 0 : !(Math.Abs(depth - patch.DepthM) <= DepthTolerance * patch.DepthM);
        }

        private static bool Note(Patch patch, double depth, ref double worst)
        {
            worst = Math.Max(worst, Math.Abs(depth - (patch != null ? patch.DepthM : 0)));
            return false;
        }

        private int IdAt(int at, bool upsideDown)
        {
            var stored = 2 * Stored(at, upsideDown);
            return _frame.Mask[stored] | (_frame.Mask[stored + 1] << 8);
        }

        private double DepthAt(int at, bool upsideDown)
        {
            return BitConverter.ToSingle(_frame.Depth, 4 * Stored(at, upsideDown));
        }

        /// <summary>Where a pixel of the upright picture lies in the arrays.</summary>
        private int Stored(int at, bool upsideDown)
        {
            return upsideDown ? at : (_height - 1 - at / _width) * _width + at % _width;
        }

        private static string Rows(bool upsideDown)
        {
            return upsideDown ? "the upper row comes first" : "the lower row comes first";
        }

        private static string Upside(string what)
        {
            return "On this graphics API " + what + " are upside down against the rest. Report this table; until then take another " +
                "graphics API in the Player Settings.";
        }

        private static string Text(string format, params object[] values)
        {
            return string.Format(CultureInfo.InvariantCulture, format, values);
        }
    }
}
