// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Rendering;
using Object = UnityEngine.Object;
using Random = System.Random;

namespace Depthbridge.Samples
{
    /// <summary>
    /// Builds a scene in an empty one: a floor, cubes with boxes on top, marks, a light, and a camera that shows a server's
    /// distances. Start one with <c>depthbridge serve</c>, put this on an empty GameObject, press Play.
    /// </summary>
    public sealed class BoxesOnCubes : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Where the server listens.")]
        private string _endpoint = "tcp://127.0.0.1:5577";

        [SerializeField]
        [Range(1, 8)]
        private int _cubes = 5;

        [SerializeField]
        [Tooltip("The same number makes the same scene.")]
        private int _seed = 1;

        [SerializeField]
        [Tooltip("Off in a scene that has one.")]
        private bool _addLight = true;

        private readonly List<DepthObject> _objects = new List<DepthObject>();
        private readonly List<Material> _materials = new List<Material>();
        private Random _random;

        /// <summary>The camera with the components.</summary>
        public Camera Camera { get; private set; }

        /// <summary>What was marked: each cube, and after it the box on its top, whose parent it is.</summary>
        public IReadOnlyList<DepthObject> Objects
        {
            get { return _objects; }
        }

        private void Awake()
        {
            _random = new Random(_seed);
            BuildFloor();
            for (var i = 0; i < _cubes; i++)
            {
                BuildPair(i);
            }
            if (_addLight)
            {
                BuildLight();
            }
            BuildCamera();
        }

        private void OnDestroy()
        {
            foreach (var material in _materials)
            {
                Object.Destroy(material);
            }
        }

        private void BuildFloor()
        {
            var floor = Make("floor", new Color(0.5f, 0.5f, 0.5f, 1));
            floor.transform.position = new Vector3(0, -0.05f, 0);
            floor.transform.localScale = new Vector3(8, 0.1f, 8);
        }

        /// <summary>Around the middle, so that none stands in another: a cube of 30 to 60 cm and a flatter box on it.</summary>
        private void BuildPair(int index)
        {
            var turn = Quaternion.AngleAxis(360f * index / _cubes, new Vector3(0, 1, 0));
            var radius = index == 0 && _cubes % 2 == 1 ? 0.2f : Between(1.2f, 1.6f);
            var foot = turn * new Vector3(0, 0, radius);
            var side = Between(0.3f, 0.6f);
            var cube = Make("red_cube", new Color(0.8f, 0.15f, 0.1f, 1));
            cube.transform.position = foot + new Vector3(0, side / 2, 0);
            cube.transform.rotation = Quaternion.AngleAxis(Between(0, 90), new Vector3(0, 1, 0));
            cube.transform.localScale = new Vector3(side, side, side);
            var height = Between(0.1f, 0.25f);
            var box = Make("green_box", new Color(0.1f, 0.6f, 0.2f, 1));
            box.transform.position = foot + new Vector3(0, side + height / 2, 0);
            box.transform.rotation = Quaternion.AngleAxis(Between(0, 90), new Vector3(0, 1, 0));
            box.transform.localScale = new Vector3(side * Between(0.4f, 0.7f), height, side * Between(0.4f, 0.7f));
            var cubeMark = Mark(cube);
            Mark(box).Parent = cubeMark;
        }

        private void BuildLight()
        {
            var holder = new GameObject("light");
            holder.transform.SetParent(transform);
            holder.transform.rotation = Quaternion.AngleAxis(50, new Vector3(1, 0.3f, 0));
            holder.AddComponent<Light>().type = LightType.Directional;
        }

        private void BuildCamera()
        {
            var holder = new GameObject("capture camera");
            holder.SetActive(false); // so that the client connects to the endpoint below, and not before
            holder.transform.SetParent(transform);
            holder.transform.position = new Vector3(0, 1.8f, -3.5f);
            holder.transform.LookAt(new Vector3(0, 0.3f, 0));
            Camera = holder.AddComponent<Camera>();
            Camera.nearClipPlane = 0.1f;
            Camera.farClipPlane = 50;
            holder.AddComponent<DepthBridgeClient>().Endpoint = _endpoint;
            var capture = holder.AddComponent<DepthCapture>();
            capture.Width = 1024;
            capture.Height = 576;
            capture.Trigger = CaptureTrigger.Interval;
            capture.IntervalSeconds = 0.2f;
            holder.AddComponent<DistanceOverlay>().View = Camera;
            holder.SetActive(true);
        }

        private GameObject Make(string name, Color colour)
        {
            var made = GameObject.CreatePrimitive(PrimitiveType.Cube);
            made.name = name;
            made.transform.SetParent(transform);
            var renderer = made.GetComponent<Renderer>();
            var pipeline = GraphicsSettings.currentRenderPipeline;
            var plain = pipeline != null ? pipeline.defaultMaterial : null; // of URP and HDRP, in the editor
            var material = new Material(plain != null ? plain : renderer.sharedMaterial) { color = colour };
            _materials.Add(material);
            renderer.sharedMaterial = material;
            return made;
        }

        private DepthObject Mark(GameObject made)
        {
            var mark = made.AddComponent<DepthObject>();
            mark.Category = made.name;
            _objects.Add(mark);
            return mark;
        }

        private float Between(float least, float most)
        {
            return least + (most - least) * (float)_random.NextDouble();
        }
    }
}
