// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Globalization;
using UnityEngine;

namespace Depthbridge
{
    /// <summary>
    /// Labels in the Game view: each object's category and distance in metres at its middle, and how old the numbers are once they are
    /// stale. IMGUI, which is the same in every render pipeline.
    /// </summary>
    [AddComponentMenu("Depthbridge/Distance Overlay")]
    [DisallowMultipleComponent]
    public sealed class DistanceOverlay : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Whose distances; empty: the capture on this GameObject.")]
        private DepthCapture _capture;

        [SerializeField]
        [Tooltip("What the player looks through; empty: the main camera.")]
        private Camera _view;

        [SerializeField]
        [Min(0)]
        [Tooltip("Numbers older than this show their age, seconds.")]
        private float _staleAfter = 1;

        [SerializeField]
        [Min(1)]
        private int _fontSize = 14;

        [SerializeField]
        [Tooltip("Show the distance along the ray to the object's middle instead of the planar one.")]
        private bool _showRange;

        private readonly List<Label> _labels = new List<Label>();
        private readonly List<Renderer> _scratch = new List<Renderer>();
        private DepthAnswer _shown;
        private int _shownAge;
        private GUIStyle _style;

        /// <summary>Whose distances; null: the capture on this GameObject.</summary>
        public DepthCapture Capture
        {
            get { return _capture; }
            set { _capture = value; }
        }

        /// <summary>What the player looks through; null: the main camera.</summary>
        public Camera View
        {
            get { return _view; }
            set { _view = value; }
        }

        /// <summary>Numbers older than this show their age, seconds.</summary>
        public float StaleAfter
        {
            get { return _staleAfter; }
            set { _staleAfter = Mathf.Max(0, value); }
        }

        /// <summary>Show the distance along the ray to the object's middle instead of the planar one.</summary>
        public bool ShowRange
        {
            get { return _showRange; }
            set { _showRange = value; }
        }

        private struct Label
        {
            public CapturedObject Of;
            public GUIContent Content;
        }

        private void Awake()
        {
            if (_capture == null)
            {
                _capture = GetComponent<DepthCapture>();
            }
        }

        private void OnGUI()
        {
            if (Event.current.type != EventType.Repaint || _capture == null || _capture.LastAnswer == null)
            {
                return;
            }
            var view = _view != null ? _view : Camera.main;
            if (view == null)
            {
                return;
            }
            BringUpToDate();
            if (_style == null)
            {
                _style = new GUIStyle(GUI.skin.box) { fontSize = _fontSize, alignment = TextAnchor.MiddleCenter, wordWrap = false };
            }
            foreach (var label in _labels)
            {
                Draw(label, view);
            }
        }

        private void Draw(Label label, Camera view)
        {
            Vector3 center;
            if (!label.Of.TryGetCenter(_scratch, out center))
            {
                return;
            }
            var at = view.WorldToScreenPoint(center);
            if (at.z <= 0)
            {
                return;
            }
            var size = _style.CalcSize(label.Content);
            var y = Screen.height - at.y; // GUI counts from above
            GUI.Label(new Rect(at.x - size.x / 2, y - size.y / 2, size.x, size.y), label.Content, _style);
        }

        /// <summary>Makes the texts anew for a new answer, and ten times a second while one is stale.</summary>
        private void BringUpToDate()
        {
            var frame = _capture.LastMeasuredFrame;
            var age = Time.realtimeSinceStartup - frame.RealTime;
            var tenths = age > _staleAfter ? (int)(age * 10) : 0;
            if (ReferenceEquals(_shown, _capture.LastAnswer) && tenths == _shownAge)
            {
                return;
            }
            _shown = _capture.LastAnswer;
            _shownAge = tenths;
            _labels.Clear();
            foreach (var item in _shown.Objects)
            {
                var of = frame.Find(item.MaskValue);
                var spread = _showRange ? item.Range : item.Distance;
                if (of != null && spread != null)
                {
                    _labels.Add(new Label { Of = of, Content = new GUIContent(Text(of, spread.Median, tenths)) });
                }
            }
        }

        private string Text(CapturedObject of, double distance, int tenths)
        {
            var unit = _shown.Unit == "m" ? " m" : " (relative)";
            var text = of.Category + " " + distance.ToString("0.00", CultureInfo.InvariantCulture) + unit;
            return tenths > 0 ? text + ", " + (tenths / 10.0).ToString("0.0", CultureInfo.InvariantCulture) + " s ago" : text;
        }
    }
}
