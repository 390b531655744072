// SPDX-License-Identifier: Apache-2.0
// The arithmetic of both shaders, apart from them: the package's tests run these very lines outside Unity.
#ifndef DEPTHBRIDGE_INCLUDED
#define DEPTHBRIDGE_INCLUDED

// An id from 0 to 65535 as two 8-bit channels: low byte, high byte. Read back that is a little-endian 16-bit number.
float2 DepthbridgeIdBytes(float id)
{
    float high = floor(id / 256.0);
    return float2(id - high * 256.0, high) / 255.0;
}

// Planar depth in metres: along the optical axis, not along the ray. View space looks along -z.
float DepthbridgePlanarDepth(float3 viewPosition, float metersPerUnit)
{
    return -viewPosition.z * metersPerUnit;
}

#endif
