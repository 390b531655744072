// SPDX-License-Identifier: Apache-2.0
// What Unity's player does between frames, as far as the package can tell: messages in Unity's order, one process for many plays.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using UnityEngine;
using UnityEngine.Rendering;
using UnityEngine.SceneManagement;
using Object = UnityEngine.Object;

namespace StubUnity
{
    public static class PlayerLoop
    {
        public static Scene MainScene = NewScene();
        public static Scene KeptScene = NewScene();
        private static readonly List<Component> All = new List<Component>();
        private static readonly List<Object> Doomed = new List<Object>();

        /// <summary>Enter play mode: an empty scene. Nothing of the package's is reset, as with domain reload off.</summary>
        public static void Enter()
        {
            MainScene = NewScene();
            KeptScene = NewScene();
            All.Clear();
            Doomed.Clear();
        }

        /// <summary>One frame, with Unity's order: readbacks, Start, Update, LateUpdate, GUI, what was destroyed.</summary>
        public static void Frame(float seconds)
        {
            Time.Advance(seconds);
            AsyncGPUReadback.Deliver();
            foreach (var behaviour in Behaviours().Where(each => !each.Started))
            {
                behaviour.Started = true;
                Send(behaviour, "Start");
            }
            foreach (var message in new[] { "Update", "LateUpdate" })
            {
                foreach (var behaviour in Behaviours())
                {
                    Send(behaviour, message);
                }
            }
            foreach (var camera in Living<Camera>().ToArray())
            {
                camera.BeginRender(); // into the window
            }
            foreach (var type in new[] { EventType.Layout, EventType.Repaint })
            {
                Event.current = new Event { type = type };
                foreach (var behaviour in Behaviours())
                {
                    Send(behaviour, "OnGUI");
                }
            }
            foreach (var each in Doomed.ToArray())
            {
                DestroyNow(each);
            }
            Doomed.Clear();
        }

        /// <summary>Leave play mode: OnApplicationQuit, then everything is disabled and destroyed.</summary>
        public static void Exit()
        {
            foreach (var behaviour in Behaviours())
            {
                Send(behaviour, "OnApplicationQuit");
            }
            foreach (var root in MainScene.Roots.Concat(KeptScene.Roots).ToArray())
            {
                DestroyNow(root);
            }
        }

        internal static void Added(Component component)
        {
            All.Add(component);
            var behaviour = component as MonoBehaviour;
            if (behaviour != null)
            {
                Refresh(behaviour);
            }
        }

        internal static void ActiveChanged(GameObject changed)
        {
            foreach (var behaviour in All.OfType<MonoBehaviour>().ToArray())
            {
                Refresh(behaviour);
            }
        }

        internal static void EnabledChanged(Behaviour changed)
        {
            var behaviour = changed as MonoBehaviour;
            if (behaviour != null)
            {
                Refresh(behaviour);
            }
        }

        internal static void DestroyLater(Object doomed)
        {
            Doomed.Add(doomed);
        }

        internal static void DestroyNow(Object doomed)
        {
            if (doomed == null)
            {
                return;
            }
            var gameObject = doomed as GameObject;
            if (gameObject != null)
            {
                foreach (var child in gameObject.transform.Children.ToArray())
                {
                    DestroyNow(child.gameObject);
                }
                foreach (var component in gameObject.Components.ToArray())
                {
                    DestroyNow(component);
                }
            }
            var behaviour = doomed as MonoBehaviour;
            if (behaviour != null)
            {
                Disable(behaviour);
                if (behaviour.Awoken)
                {
                    Send(behaviour, "OnDestroy");
                }
            }
            doomed.OnDestroyed();
            doomed.Destroyed = true;
            All.Remove(doomed as Component);
        }

        /// <summary>All live renderers, for the stub's camera.</summary>
        internal static IEnumerable<T> Living<T>() where T : Component
        {
            return All.OfType<T>().Where(each => each.gameObject.activeInHierarchy);
        }

        /// <summary>What the engine does: calls a message of that name, if there is one.</summary>
        public static void Send(MonoBehaviour behaviour, string message)
        {
            if (behaviour.Destroyed)
            {
                return;
            }
            for (var type = behaviour.GetType(); type != typeof(MonoBehaviour); type = type.BaseType)
            {
                const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
                var method = type.GetMethod(message, Any, null, Type.EmptyTypes, null);
                if (method != null)
                {
                    try
                    {
                        method.Invoke(behaviour, null);
                    }
                    catch (TargetInvocationException error)
                    {
                        Debug.LogException(error.InnerException);
                    }
                    return;
                }
            }
        }

        private static void Refresh(MonoBehaviour behaviour)
        {
            if (!behaviour.isActiveAndEnabled)
            {
                Disable(behaviour);
                return;
            }
            if (!behaviour.Awoken)
            {
                behaviour.Awoken = true;
                Send(behaviour, "Awake");
            }
            if (!behaviour.Enabled)
            {
                behaviour.Enabled = true;
                Send(behaviour, "OnEnable");
            }
        }

        private static void Disable(MonoBehaviour behaviour)
        {
            if (behaviour.Enabled)
            {
                behaviour.Enabled = false;
                Send(behaviour, "OnDisable");
            }
        }

        private static IEnumerable<MonoBehaviour> Behaviours()
        {
            return All.OfType<MonoBehaviour>().Where(each => each.isActiveAndEnabled).OrderBy(Order).ToArray();
        }

        private static int Order(MonoBehaviour behaviour)
        {
            var found = (DefaultExecutionOrder[])behaviour.GetType().GetCustomAttributes(typeof(DefaultExecutionOrder), true);
            return found.Length == 0 ? 0 : found[0].order;
        }

        private static Scene NewScene()
        {
            return new Scene { Roots = new List<GameObject>() };
        }
    }
}
