// SPDX-License-Identifier: Apache-2.0
// Unity's value types as far as the package uses them: public signatures, written from the scripting reference.
using System;

namespace UnityEngine
{
    public struct Mathf
    {
        public static float Max(float a, float b)
        {
            return Math.Max(a, b);
        }

        public static int Max(int a, int b)
        {
            return Math.Max(a, b);
        }

        public static int Min(int a, int b)
        {
            return Math.Min(a, b);
        }

        public static float Abs(float f)
        {
            return Math.Abs(f);
        }

        public static int Clamp(int value, int min, int max)
        {
            return Math.Min(Math.Max(value, min), max);
        }
    }

    public struct Vector2
    {
        public float x, y;

        public Vector2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }
    }

    public struct Vector3
    {
        public float x, y, z;

        public Vector3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }

        public float magnitude
        {
            get { return (float)Math.Sqrt((double)x * x + (double)y * y + (double)z * z); }
        }

        public static Vector3 zero
        {
            get { return new Vector3(); }
        }

        public static Vector3 one
        {
            get { return new Vector3(1, 1, 1); }
        }

        public static Vector3 operator +(Vector3 a, Vector3 b)
        {
            return new Vector3(a.x + b.x, a.y + b.y, a.z + b.z);
        }

        public static Vector3 operator -(Vector3 a, Vector3 b)
        {
            return new Vector3(a.x - b.x, a.y - b.y, a.z - b.z);
        }

        public static Vector3 operator *(Vector3 a, float d)
        {
            return new Vector3(a.x * d, a.y * d, a.z * d);
        }
    }

    public struct Vector4
    {
        public float x, y, z, w;

        public Vector4(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }
    }

    public partial struct Quaternion
    {
        public float x, y, z, w;

        public Quaternion(float x, float y, float z, float w)
        {
            this.x = x;
            this.y = y;
            this.z = z;
            this.w = w;
        }

        public static Quaternion identity
        {
            get { return new Quaternion(0, 0, 0, 1); }
        }

        public static Quaternion AngleAxis(float angle, Vector3 axis)
        {
            var half = angle * Math.PI / 360;
            var factor = (float)(Math.Sin(half) / axis.magnitude);
            return new Quaternion(axis.x * factor, axis.y * factor, axis.z * factor, (float)Math.Cos(half));
        }
    }

    public struct Rect
    {
        public Rect(float x, float y, float width, float height) : this()
        {
            this.x = x;
            this.y = y;
            this.width = width;
            this.height = height;
        }

        public float x { get; set; }
        public float y { get; set; }
        public float width { get; set; }
        public float height { get; set; }
    }

    public struct Bounds
    {
        public Bounds(Vector3 center, Vector3 size) : this()
        {
            this.center = center;
            this.size = size;
        }

        public Vector3 center { get; set; }
        public Vector3 size { get; set; }

        public Vector3 min
        {
            get { return center - size * 0.5f; }
        }

        public Vector3 max
        {
            get { return center + size * 0.5f; }
        }

        public void Encapsulate(Bounds bounds)
        {
            var low = new Vector3(Math.Min(min.x, bounds.min.x), Math.Min(min.y, bounds.min.y), Math.Min(min.z, bounds.min.z));
            var high = new Vector3(Math.Max(max.x, bounds.max.x), Math.Max(max.y, bounds.max.y), Math.Max(max.z, bounds.max.z));
            center = (low + high) * 0.5f;
            size = high - low;
        }
    }

    public struct Color
    {
        public float r, g, b, a;

        public Color(float r, float g, float b, float a)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            this.a = a;
        }

        public static Color clear
        {
            get { return new Color(0, 0, 0, 0); }
        }

        public static Color white
        {
            get { return new Color(1, 1, 1, 1); }
        }
    }

    public struct Plane
    {
        public Vector3 normal { get; set; }
        public float distance { get; set; }
    }

    /// <summary>Elements by row and column; in memory column by column, as in Unity.</summary>
    public struct Matrix4x4
    {
        public float m00, m10, m20, m30, m01, m11, m21, m31, m02, m12, m22, m32, m03, m13, m23, m33;

        public float this[int row, int column]
        {
            get { return ToArray()[column * 4 + row]; }
            set
            {
                var all = ToArray();
                all[column * 4 + row] = value;
                FromArray(all);
            }
        }

        public static Matrix4x4 identity
        {
            get { return new Matrix4x4 { m00 = 1, m11 = 1, m22 = 1, m33 = 1 }; }
        }

        public Vector3 MultiplyPoint3x4(Vector3 p)
        {
            return new Vector3(
                (float)((double)m00 * p.x + (double)m01 * p.y + (double)m02 * p.z + m03),
                (float)((double)m10 * p.x + (double)m11 * p.y + (double)m12 * p.z + m13),
                (float)((double)m20 * p.x + (double)m21 * p.y + (double)m22 * p.z + m23));
        }

        public static Matrix4x4 operator *(Matrix4x4 a, Matrix4x4 b)
        {
            var result = new Matrix4x4();
            for (var row = 0; row < 4; row++)
            {
                for (var column = 0; column < 4; column++)
                {
                    double sum = 0;
                    for (var k = 0; k < 4; k++)
                    {
                        sum += (double)a[row, k] * b[k, column];
                    }
                    result[row, column] = (float)sum;
                }
            }
            return result;
        }

        public static Matrix4x4 TRS(Vector3 position, Quaternion q, Vector3 s)
        {
            var result = identity;
            result.m00 = (1 - 2 * (q.y * q.y + q.z * q.z)) * s.x;
            result.m10 = 2 * (q.x * q.y + q.w * q.z) * s.x;
            result.m20 = 2 * (q.x * q.z - q.w * q.y) * s.x;
            result.m01 = 2 * (q.x * q.y - q.w * q.z) * s.y;
            result.m11 = (1 - 2 * (q.x * q.x + q.z * q.z)) * s.y;
            result.m21 = 2 * (q.y * q.z + q.w * q.x) * s.y;
            result.m02 = 2 * (q.x * q.z + q.w * q.y) * s.z;
            result.m12 = 2 * (q.y * q.z - q.w * q.x) * s.z;
            result.m22 = (1 - 2 * (q.x * q.x + q.y * q.y)) * s.z;
            result.m03 = position.x;
            result.m13 = position.y;
            result.m23 = position.z;
            return result;
        }

        private float[] ToArray()
        {
            return new[] { m00, m10, m20, m30, m01, m11, m21, m31, m02, m12, m22, m32, m03, m13, m23, m33 };
        }

        private void FromArray(float[] v)
        {
            m00 = v[0]; m10 = v[1]; m20 = v[2]; m30 = v[3];
            m01 = v[4]; m11 = v[5]; m21 = v[6]; m31 = v[7];
            m02 = v[8]; m12 = v[9]; m22 = v[10]; m32 = v[11];
            m03 = v[12]; m13 = v[13]; m23 = v[14]; m33 = v[15];
        }
    }

    public static class GeometryUtility
    {
        public static void CalculateFrustumPlanes(Matrix4x4 worldToProjectionMatrix, Plane[] planes)
        {
            var m = worldToProjectionMatrix;
            for (var i = 0; i < 6; i++)
            {
                var row = i / 2;
                var sign = i % 2 == 0 ? 1f : -1f;
                var n = new Vector3(m[3, 0] + sign * m[row, 0], m[3, 1] + sign * m[row, 1], m[3, 2] + sign * m[row, 2]);
                var length = n.magnitude;
                planes[i] = new Plane { normal = n * (1 / length), distance = (m[3, 3] + sign * m[row, 3]) / length };
            }
        }

        public static bool TestPlanesAABB(Plane[] planes, Bounds bounds)
        {
            foreach (var plane in planes)
            {
                var n = plane.normal;
                var x = n.x > 0 ? bounds.max.x : bounds.min.x;
                var y = n.y > 0 ? bounds.max.y : bounds.min.y;
                var z = n.z > 0 ? bounds.max.z : bounds.min.z;
                if (n.x * x + n.y * y + n.z * z + plane.distance < 0)
                {
                    return false;
                }
            }
            return true;
        }
    }
}
