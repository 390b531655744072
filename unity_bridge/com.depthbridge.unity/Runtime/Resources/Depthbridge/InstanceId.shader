// SPDX-License-Identifier: Apache-2.0
// Writes the id of an object into two 8-bit channels.
// No pipeline tags and no LightMode: a plain CommandBuffer draws it by pass number, under Built-in, URP and HDRP alike.
// Only an editor can show that it compiles for each graphics API and that rows come out as those of the picture: the Self-Test sample does.
Shader "Hidden/Depthbridge/InstanceId"
{
    SubShader
    {
        ZWrite On
        ZTest LEqual
        Blend Off

        CGINCLUDE
        #include "UnityCG.cginc"
        #include "Depthbridge.hlsl"

        // Set by the CommandBuffer before each draw, and therefore not among Properties, which would win over it.
        float _DepthbridgeId;

        float4 Vertex(float4 vertex : POSITION) : SV_POSITION
        {
            return UnityObjectToClipPos(vertex);
        }

        float4 Fragment() : SV_Target
        {
            return float4(DepthbridgeIdBytes(_DepthbridgeId), 0, 1);
        }
        ENDCG

        Pass
        {
            Name "Single-sided"
            Cull Back
            CGPROGRAM
            #pragma vertex Vertex
            #pragma fragment Fragment
            ENDCG
        }

        Pass
        {
            Name "Two-sided"
            Cull Off
            CGPROGRAM
            #pragma vertex Vertex
            #pragma fragment Fragment
            ENDCG
        }
    }
    Fallback Off
}
