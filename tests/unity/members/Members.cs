// SPDX-License-Identifier: Apache-2.0
// Every member of Unity's that an assembly refers to, as the compiler wrote them down, one a line; then every enum constant of the second
// assembly with its number, as compilers leave no trace of which were used.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace Members
{
    public static class Program
    {
        private const int TypeRefs = 0x01000000;
        private const int MemberRefs = 0x0A000000;

        public static int Main(string[] arguments)
        {
            var assembly = Assembly.LoadFrom(arguments[0]);
            var found = new SortedSet<string>(StringComparer.Ordinal);
            foreach (var member in Rows(token => assembly.ManifestModule.ResolveMember(token), MemberRefs))
            {
                var type = member.DeclaringType.IsGenericType ? member.DeclaringType.GetGenericTypeDefinition() : member.DeclaringType;
                if (IsUnity(type))
                {
                    found.Add(Name(type) + "::" + Signature(member));
                }
            }
            foreach (var type in Rows(token => assembly.ManifestModule.ResolveType(token), TypeRefs).Where(IsUnity))
            {
                found.Add(Name(type));
            }
            foreach (var type in Assembly.LoadFrom(arguments[1]).GetTypes().Where(each => each.IsEnum && IsUnity(each)))
            {
                foreach (var constant in Enum.GetValues(type))
                {
                    found.Add(Name(type) + "." + constant + " = " + Convert.ToInt32(constant));
                }
            }
            foreach (var line in found)
            {
                Console.WriteLine(line);
            }
            return 0;
        }

        /// <summary>The compiler numbers what it refers to from 1, without gaps.</summary>
        private static IEnumerable<T> Rows<T>(Func<int, T> resolve, int table)
        {
            for (var row = 1; ; row++)
            {
                T item;
                try
                {
                    item = resolve(table | row);
                }
                catch (ArgumentException)
                {
                    yield break;
                }
                yield return item;
            }
        }

        private static bool IsUnity(Type type)
        {
            return type.Namespace != null && type.Namespace.StartsWith("Unity", StringComparison.Ordinal);
        }

        private static string Signature(MemberInfo member)
        {
            var method = member as MethodBase;
            if (method == null)
            {
                return member.Name;
            }
            var owner = method.DeclaringType;
            if (owner.IsGenericType && !owner.IsGenericTypeDefinition)
            {
                method = (MethodBase)owner.Module.ResolveMethod(method.MetadataToken); // the open one: T and not what T is here
            }
            var parameters = method.GetParameters().Select(each => (each.ParameterType.IsByRef ? "ref " : "") + Name(each.ParameterType));
            var information = method as MethodInfo;
            var generic = method.IsGenericMethod ? "<T>" : "";
            var result = information != null ? Name(information.ReturnType) : "void";
            return (method.IsStatic ? "static " : "") + result + " " + method.Name + generic + "(" + string.Join(", ", parameters) + ")";
        }

        private static string Name(Type type)
        {
            if (type.IsByRef || type.IsArray)
            {
                return Name(type.GetElementType()) + (type.IsArray ? "[]" : "");
            }
            if (type.IsGenericParameter)
            {
                return type.Name;
            }
            var name = (type.DeclaringType != null ? type.DeclaringType.Name + "." : "") + type.Name;
            var tick = name.IndexOf('`');
            if (tick < 0)
            {
                return name;
            }
            return name.Substring(0, tick) + "<" + string.Join(", ", type.GetGenericArguments().Select(Name)) + ">";
        }
    }
}
