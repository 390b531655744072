// SPDX-License-Identifier: Apache-2.0
using UnityEngine;
using Random = System.Random;

namespace Depthbridge.Samples
{
    /// <summary>
    /// Writes a dataset of the scene that <see cref="BoxesOnCubes"/> builds: every frame from another place, with true depth. No server is
    /// needed; <c>depthbridge annotate FOLDER --out DIR --report</c> adds the distances.
    /// </summary>
    [RequireComponent(typeof(BoxesOnCubes))]
    public sealed class RandomPoses : MonoBehaviour
    {
        [SerializeField]
        [Tooltip("Relative: beside Assets in the editor.")]
        private string _folder = "Captures/boxes_on_cubes";

        [SerializeField]
        [Min(1)]
        private int _frames = 100;

        [SerializeField]
        [Tooltip("The same number makes the same poses.")]
        private int _seed = 1;

        private BatchDatasetCapture _dataset;
        private Transform _camera;
        private Random _random;

        /// <summary>The component that writes; null before Start.</summary>
        public BatchDatasetCapture Dataset
        {
            get { return _dataset; }
        }

        private void Start()
        {
            _random = new Random(_seed);
            _camera = GetComponent<BoxesOnCubes>().Camera.transform;
            var holder = _camera.gameObject;
            holder.SetActive(false); // settings first
            holder.GetComponent<DepthBridgeClient>().enabled = false; // the folder is measured later
            holder.GetComponent<DepthCapture>().Trigger = CaptureTrigger.EveryFrames;
            _dataset = holder.AddComponent<BatchDatasetCapture>();
            _dataset.Folder = _folder;
            _dataset.Frames = _frames;
            _dataset.PlanarDepth = true;
            _dataset.OnFinished += Finished;
            Move();
            holder.SetActive(true);
        }

        private void Update()
        {
            if (_dataset.IsCapturing)
            {
                Move();
            }
        }

        private void OnDestroy()
        {
            if (_dataset != null)
            {
                _dataset.OnFinished -= Finished;
            }
        }

        /// <summary>Somewhere around the cubes, above the floor, looking at a place near the middle.</summary>
        private void Move()
        {
            var turn = Quaternion.AngleAxis(Between(0, 360), new Vector3(0, 1, 0));
            _camera.position = turn * new Vector3(0, 0, Between(2.4f, 4)) + new Vector3(0, Between(0.7f, 2.4f), 0);
            _camera.LookAt(new Vector3(Between(-0.4f, 0.4f), Between(0.1f, 0.5f), Between(-0.4f, 0.4f)));
        }

        private float Between(float least, float most)
        {
            return least + (most - least) * (float)_random.NextDouble();
        }

        private void Finished(string folder)
        {
            var next = "depthbridge annotate \"" + folder + "\" --out annotated --report";
            Debug.Log("Depthbridge: " + _dataset.Captured + " frames are in " + folder + ". Measure them: " + next, this);
        }
    }
}
