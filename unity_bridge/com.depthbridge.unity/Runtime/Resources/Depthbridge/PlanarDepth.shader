// SPDX-License-Identifier: Apache-2.0
// Writes planar depth in metres into one 32-bit float channel.
// No pipeline tags and no LightMode: a plain CommandBuffer draws it by pass number, under Built-in, URP and HDRP alike.
// Only an editor can show that it compiles for each graphics API and that rows come out as those of the picture: the Self-Test sample does.
Shader "Hidden/Depthbridge/PlanarDepth"
{
    SubShader
    {
        ZWrite On
        ZTest LEqual
        Blend Off

        CGINCLUDE
        #include "UnityCG.cginc"
        #include "Depthbridge.hlsl"

        // Set by the CommandBuffer, and therefore not among Properties, which would win over it.
        float _DepthbridgeMetersPerUnit;

        struct Varyings
        {
            float4 position : SV_POSITION;
            float3 viewPosition : TEXCOORD0;
        };

        Varyings Vertex(float4 vertex : POSITION)
        {
            Varyings output;
            output.position = UnityObjectToClipPos(vertex);
            output.viewPosition = UnityObjectToViewPos(vertex.xyz);
            return output;
        }

        float4 Fragment(Varyings input) : SV_Target
        {
            return DepthbridgePlanarDepth(input.viewPosition, _DepthbridgeMetersPerUnit);
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
