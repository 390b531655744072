// SPDX-License-Identifier: Apache-2.0
// What HLSL has built in, as far as the package's shader functions use it. ShaderCode itself is made from the shipped .hlsl file by the
// test.
using System;

namespace StubUnity
{
    public struct float2
    {
        public float x, y;

        public float2(float x, float y)
        {
            this.x = x;
            this.y = y;
        }

        public static float2 operator *(float2 a, float b)
        {
            return new float2(a.x * b, a.y * b);
        }

        public static float2 operator /(float2 a, float b)
        {
            return new float2(a.x / b, a.y / b);
        }
    }

    public struct float3
    {
        public float x, y, z;

        public float3(float x, float y, float z)
        {
            this.x = x;
            this.y = y;
            this.z = z;
        }
    }

    public abstract class HlslBuiltIns
    {
        protected static float floor(float value)
        {
            return (float)Math.Floor(value);
        }

        protected static float length(float3 v)
        {
            return (float)Math.Sqrt((double)v.x * v.x + (double)v.y * v.y + (double)v.z * v.z);
        }
    }
}
