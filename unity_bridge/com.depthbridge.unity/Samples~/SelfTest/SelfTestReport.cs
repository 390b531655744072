// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using System.Text;

namespace Depthbridge.Samples
{
    /// <summary>What became of one check.</summary>
    public enum Verdict
    {
        /// <summary>As it must be.</summary>
        Pass,
        /// <summary>Wrong: distances would be, too.</summary>
        Fail,
        /// <summary>A fact to know, neither right nor wrong.</summary>
        Note
    }

    /// <summary>One line of the table.</summary>
    public sealed class SelfTestLine
    {
        /// <summary>What was checked.</summary>
        public string Check;

        /// <summary>What became of it.</summary>
        public Verdict Verdict;

        /// <summary>What was found, with numbers.</summary>
        public string Found;

        /// <summary>What to do; of failures alone.</summary>
        public string Remedy = "";
    }

    /// <summary>The table.</summary>
    public sealed class SelfTestReport
    {
        private const int CheckWidth = 46;

        private readonly List<SelfTestLine> _lines = new List<SelfTestLine>();

        /// <summary>In the order of the checks.</summary>
        public IReadOnlyList<SelfTestLine> Lines
        {
            get { return _lines; }
        }

        /// <summary>Lines that failed.</summary>
        public int Failures
        {
            get { return _lines.FindAll(line => line.Verdict == Verdict.Fail).Count; }
        }

        /// <summary>Whether something was checked and nothing failed.</summary>
        public bool Passed
        {
            get { return Failures == 0 && _lines.Exists(line => line.Verdict == Verdict.Pass); }
        }

        /// <summary>A fact.</summary>
        public void Note(string check, string found)
        {
            _lines.Add(new SelfTestLine { Check = check, Verdict = Verdict.Note, Found = found });
        }

        /// <summary>A check; the remedy counts if it failed.</summary>
        public void Add(string check, bool passed, string found, string remedy)
        {
            var verdict = passed ? Verdict.Pass : Verdict.Fail;
            _lines.Add(new SelfTestLine { Check = check, Verdict = verdict, Found = found, Remedy = passed ? "" : remedy });
        }

        /// <summary>As plain text, one line a check, remedies below theirs.</summary>
        public override string ToString()
        {
            var text = new StringBuilder("Depthbridge self-test: ");
            text.Append(Passed ? "PASS" : Failures + " FAILED").Append('\n');
            foreach (var line in _lines)
            {
                text.Append(line.Verdict.ToString().ToUpperInvariant()).Append("  ");
                text.Append(line.Check.PadRight(CheckWidth)).Append("  ").Append(line.Found).Append('\n');
                if (line.Remedy.Length > 0)
                {
                    text.Append("      -> ").Append(line.Remedy).Append('\n');
                }
            }
            return text.ToString();
        }
    }
}
