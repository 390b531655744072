// SPDX-License-Identifier: Apache-2.0
// Objects, components and scenes as far as the package uses them: public signatures, written from the scripting reference.
using System;
using System.Collections.Generic;
using StubUnity;
using UnityEngine.SceneManagement;

namespace UnityEngine
{
    [Flags]
    public enum HideFlags
    {
        None = 0,
        HideAndDontSave = 61,
    }

    public class Object
    {
        internal bool Destroyed;

        public string name { get; set; }
        public HideFlags hideFlags { get; set; }

        public static void Destroy(Object obj)
        {
            PlayerLoop.DestroyLater(obj);
        }

        public static void DestroyImmediate(Object obj)
        {
            PlayerLoop.DestroyNow(obj);
        }

        public static void DontDestroyOnLoad(Object target)
        {
            ((GameObject)target).MoveTo(PlayerLoop.KeptScene);
        }

        public static bool operator ==(Object x, Object y)
        {
            var noX = ReferenceEquals(x, null) || x.Destroyed;
            var noY = ReferenceEquals(y, null) || y.Destroyed;
            return noX || noY ? noX && noY : ReferenceEquals(x, y);
        }

        public static bool operator !=(Object x, Object y)
        {
            return !(x == y);
        }

        public static implicit operator bool(Object exists)
        {
            return exists != null;
        }

        public override bool Equals(object other)
        {
            return ReferenceEquals(this, other);
        }

        public override int GetHashCode()
        {
            return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
        }

        internal virtual void OnDestroyed()
        {
        }
    }

    public sealed partial class GameObject : Object
    {
        internal readonly List<Component> Components = new List<Component>();
        private bool _active = true;
        private Scene _scene;

        public GameObject() : this("New Game Object")
        {
        }

        public GameObject(string name)
        {
            this.name = name;
            _scene = SceneManager.GetSceneAt(0);
            transform = new Transform();
            Components.Add(transform);
            transform.Attach(this);
            _scene.Roots.Add(this);
        }

        public Transform transform { get; private set; }
        public int layer { get; set; }

        public Scene scene
        {
            get { return transform.parent != null ? transform.parent.gameObject.scene : _scene; }
        }

        public bool activeSelf
        {
            get { return _active; }
        }

        public bool activeInHierarchy
        {
            get { return _active && !Destroyed && (transform.parent == null || transform.parent.gameObject.activeInHierarchy); }
        }

        public void SetActive(bool value)
        {
            if (_active != value)
            {
                _active = value;
                PlayerLoop.ActiveChanged(this);
            }
        }

        public T AddComponent<T>() where T : Component
        {
            var component = Activator.CreateInstance<T>();
            Components.Add(component);
            component.Attach(this);
            PlayerLoop.Added(component);
            return component;
        }

        public T GetComponent<T>()
        {
            foreach (var component in Components)
            {
                if (component is T && !component.Destroyed)
                {
                    return (T)(object)component;
                }
            }
            return default(T);
        }

        public void GetComponentsInChildren<T>(bool includeInactive, List<T> results)
        {
            results.Clear();
            Collect(includeInactive, results);
        }

        internal void Collect<T>(bool includeInactive, List<T> results)
        {
            if (!includeInactive && !activeInHierarchy)
            {
                return;
            }
            foreach (var component in Components)
            {
                if (component is T && !component.Destroyed)
                {
                    results.Add((T)(object)component);
                }
            }
            foreach (var child in transform.Children)
            {
                child.gameObject.Collect(includeInactive, results);
            }
        }

        internal void MoveTo(Scene scene)
        {
            _scene.Roots.Remove(this);
            _scene = scene;
            _scene.Roots.Add(this);
        }

        internal void IsRoot(bool root)
        {
            _scene.Roots.Remove(this);
            if (root)
            {
                _scene.Roots.Add(this);
            }
        }

        internal override void OnDestroyed()
        {
            _scene.Roots.Remove(this);
            if (transform.parent != null)
            {
                transform.parent.Children.Remove(transform);
            }
        }
    }

    public class Component : Object
    {
        public GameObject gameObject { get; private set; }

        public Transform transform
        {
            get { return gameObject.transform; }
        }

        public T GetComponent<T>()
        {
            return gameObject.GetComponent<T>();
        }

        public T GetComponentInParent<T>()
        {
            for (var at = transform; at != null; at = at.parent)
            {
                var found = at.gameObject.GetComponent<T>();
                if (found != null)
                {
                    return found;
                }
            }
            return default(T);
        }

        internal void Attach(GameObject owner)
        {
            gameObject = owner;
            name = owner.name;
        }
    }

    public partial class Transform : Component
    {
        internal readonly List<Transform> Children = new List<Transform>();

        public Transform()
        {
            rotation = Quaternion.identity;
            localScale = Vector3.one;
        }

        // The stub has positions and rotations in the world alone: parents group, and move nothing.
        public Vector3 position { get; set; }
        public Quaternion rotation { get; set; }
        public Vector3 localScale { get; set; }
        public Transform parent { get; private set; }

        public Vector3 lossyScale
        {
            get { return localScale; }
        }

        public Matrix4x4 localToWorldMatrix
        {
            get { return Matrix4x4.TRS(position, rotation, localScale); }
        }

        public Vector3 TransformPoint(Vector3 point)
        {
            return localToWorldMatrix.MultiplyPoint3x4(point);
        }

        public void SetParent(Transform p)
        {
            if (parent != null)
            {
                parent.Children.Remove(this);
            }
            parent = p;
            gameObject.IsRoot(p == null);
            if (p != null)
            {
                p.Children.Add(this);
            }
        }
    }

    public class Behaviour : Component
    {
        private bool _enabled = true;

        public bool enabled
        {
            get { return _enabled; }
            set
            {
                if (_enabled != value)
                {
                    _enabled = value;
                    PlayerLoop.EnabledChanged(this);
                }
            }
        }

        public bool isActiveAndEnabled
        {
            get { return _enabled && !Destroyed && gameObject.activeInHierarchy; }
        }
    }

    public class MonoBehaviour : Behaviour
    {
        internal bool Awoken, Enabled, Started;
    }

    public sealed class SerializeField : Attribute
    {
    }

    public sealed class TooltipAttribute : Attribute
    {
        public TooltipAttribute(string tooltip)
        {
        }
    }

    public sealed class HeaderAttribute : Attribute
    {
        public HeaderAttribute(string header)
        {
        }
    }

    public sealed class MinAttribute : Attribute
    {
        public MinAttribute(float min)
        {
        }
    }

    public sealed class RangeAttribute : Attribute
    {
        public RangeAttribute(float min, float max)
        {
        }
    }

    public sealed class AddComponentMenu : Attribute
    {
        public AddComponentMenu(string menuName)
        {
        }
    }

    public sealed class ContextMenu : Attribute
    {
        public ContextMenu(string itemName)
        {
        }
    }

    public sealed class DisallowMultipleComponent : Attribute
    {
    }

    public sealed class RequireComponent : Attribute
    {
        public RequireComponent(Type requiredComponent)
        {
        }
    }

    public class DefaultExecutionOrder : Attribute
    {
        public DefaultExecutionOrder(int order)
        {
            this.order = order;
        }

        public int order { get; private set; }
    }
}

namespace UnityEngine.SceneManagement
{
    public struct Scene
    {
        internal List<GameObject> Roots;

        public bool isLoaded
        {
            // Nothing says that the scene of DontDestroyOnLoad ever counts as loaded.
            get { return Roots != null && Roots != StubUnity.PlayerLoop.KeptScene.Roots; }
        }

        public bool IsValid()
        {
            return Roots != null;
        }

        public void GetRootGameObjects(List<GameObject> rootGameObjects)
        {
            rootGameObjects.Clear();
            rootGameObjects.AddRange(Roots);
        }

        public override bool Equals(object other)
        {
            return other is Scene && ((Scene)other).Roots == Roots;
        }

        public override int GetHashCode()
        {
            return Roots.GetHashCode();
        }
    }

    public class SceneManager
    {
        public static int sceneCount
        {
            get { return 1; }
        }

        public static Scene GetSceneAt(int index)
        {
            return PlayerLoop.MainScene;
        }
    }
}
