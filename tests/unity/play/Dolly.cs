// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Play
{
    /// <summary>Moves the camera along its axis, another millimetre each frame, so that every frame's distances are its own.</summary>
    public sealed class Dolly : MonoBehaviour
    {
        public readonly Dictionary<int, double> AdvanceM = new Dictionary<int, double>();
        public float MetersPerUnit = 1;
        private Vector3 _start;
        private Vector3 _forward;

        private void Awake()
        {
            _start = transform.position;
            _forward = Matrix4x4.TRS(Vector3.zero, transform.rotation, Vector3.one).MultiplyPoint3x4(new Vector3(0, 0, 1));
        }

        private void Update()
        {
            var millimetres = Time.frameCount * 7 % 50;
            transform.position = _start + _forward * (millimetres / 1000f / MetersPerUnit);
            AdvanceM[Time.frameCount] = millimetres / 1000.0;
        }
    }
}
