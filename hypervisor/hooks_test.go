// SPDX-License-Identifier: Apache-2.0

package hypervisor

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// anchors is a Xen source tree that contains only the lines that the hooks search
// for, and their surroundings where those matter.
var anchors = map[string]string{
	"xen/common/sched/Makefile":      "obj-y += cpupool.o\nobj-$(CONFIG_SCHED_NULL) += null.o\nobj-y += core.o\n",
	"xen/common/sched/Kconfig":       "menu \"Schedulers\"\n\tvisible if EXPERT\n",
	"xen/include/hypercall-defs.c":   "prefix: do PREFIX_hvm\nprefix: do\nsysctl(x)\ntable:      pv32   pv64 hvm32    hvm64 arm\nsysctl do do do do do\n",
	"xen/include/xen/hypercall.h":    "#include <public/pmu.h>\n",
	"xen/arch/x86/hvm/hypercall.c":   "#include <xen/nospec.h>\n            break;\n\n        if ( unlikely(hvm_get_cpl(curr)) )\n        {\n",
	"xen/arch/x86/time.c":            "#include <xen/guest_access.h>\n    _u.system_time   = t->stamp.local_stime;\n\n",
	"xen/common/domain.c":            "#include <xen/argo.h>\n        if ( set.timeout_abs_ns < NOW() )\n",
	"xen/common/sched/core.c":        "#include <xen/preempt.h>\n            atomic_set(&unit->next_task->rendezvous_out_cnt, 0);\n    if ( sched_poll->timeout != 0 )\n    s_time_t offset = timeout - NOW();\n\n    if ( timeout == 0 )\n",
	"xen/arch/x86/psr.c":             "#include <xen/sched.h>\n#include <asm/psr.h>\n        unsigned int cos = 0;\n\n        if ( likely(",
	"xen/common/sched/untouched.txt": "prefix: do\n",
}

// later has the anchors of Xen 4.19 to 4.22 that differ from those of 4.17.
var later = map[string]string{
	"xen/arch/x86/hvm/hypercall.c": "#include <xen/nospec.h>\n            break;\n\n        if ( likely(!hvm_get_cpl(curr)) )\n            break;\n",
	"xen/arch/x86/time.c":          "#include <xen/guest_access.h>\n    u->tsc_timestamp = tsc_stamp;\n    u->system_time   = t->stamp.local_stime;\n\n",
}

func makeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func runHooks(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", append([]string{"hooks"}, args...)...).CombinedOutput()
	return string(out), err
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHooksInsertEachLineAtItsAnchorOnce(t *testing.T) {
	dir := makeTree(t, anchors)
	if out, err := runHooks(t, dir); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"xen/common/sched/Makefile":      "null.o\nobj-$(CONFIG_SCHED_VLIB) += vlib/\nobj-y += core.o\n",
		"xen/common/sched/Kconfig":       "accept it.\n\nmenu \"Schedulers\"\n",
		"xen/include/hypercall-defs.c":   "\nprefix: do\n#ifdef CONFIG_SCHED_VLIB\nvlib_op(unsigned long cmd, unsigned long a1, unsigned long a2, void *arg, unsigned long a4)\n#endif\nsysctl(x)\n",
		"xen/include/xen/hypercall.h":    "#include <public/pmu.h>\n#include <public/vlib.h>\n",
		"xen/arch/x86/hvm/hypercall.c":   "            break;\n\n        if ( unlikely(hvm_get_cpl(curr)) )\n",
		"xen/arch/x86/time.c":            "local_stime;\n    vlib_publish_time(v, &_u.system_time);\n\n",
		"xen/common/domain.c":            "        set.timeout_abs_ns = vlib_host_time(v, set.timeout_abs_ns);\n\n        if (",
		"xen/common/sched/core.c":        "NOW();\n\n    timeout = vlib_host_time(v, timeout);\n    offset = timeout - NOW();\n\n    if (",
		"xen/arch/x86/psr.c":             "#include <asm/psr.h>\n        unsigned int cos = 0;\n\n        d = vlib_class_domain(d);\n\n        if ( likely(",
		"xen/common/sched/untouched.txt": "prefix: do\n",
	} {
		if got := read(t, dir, name); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", name, want, got)
		}
	}
	out, err := runHooks(t, dir)
	if err == nil || !strings.Contains(out, "hooked already") {
		t.Errorf("hooked again: %v: %s", err, out)
	}
}

func TestHooksFitLaterReleases(t *testing.T) {
	files := maps.Clone(anchors)
	maps.Copy(files, later)
	dir := makeTree(t, files)
	if out, err := runHooks(t, dir); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{
		"xen/arch/x86/hvm/hypercall.c": "            break;\n\n        if ( likely(!hvm_get_cpl(curr)) )\n",
		"xen/arch/x86/time.c":          "local_stime;\n    vlib_publish_time(v, &u->system_time);\n\n",
	} {
		if got := read(t, dir, name); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", name, want, got)
		}
	}
}

func TestMissingOrRepeatedAnchorLeavesTreeUnchanged(t *testing.T) {
	with := func(name, text string) map[string]string {
		files := maps.Clone(anchors)
		if files[name] = text; text == "" {
			delete(files, name)
		}
		return files
	}
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"xen/arch/x86/time.c", "#include <xen/guest_access.h>\n",
			[]string{"xen/arch/x86/time.c", "'u->system_time = t->stamp.local_stime;' 0 times", "correct the anchor in hypervisor/hooks"}},
		{"xen/include/hypercall-defs.c", anchors["xen/include/hypercall-defs.c"] + "prefix: do\n",
			[]string{"xen/include/hypercall-defs.c", "'prefix: do' 2 times"}},
		{"xen/common/domain.c", "", []string{"xen/common/domain.c", "Xen 4.17"}},
		{"xen/common/sched/Makefile", "", []string{"is not a Xen source tree"}},
	} {
		files := with(test.name, test.text)
		dir := makeTree(t, files)
		out, err := runHooks(t, dir)
		if err == nil {
			t.Errorf("%s: passed", test.name)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in %s", test.name, want, out)
			}
		}
		for name, text := range files {
			if got := read(t, dir, name); got != text {
				t.Errorf("%s: %s was changed", test.name, name)
			}
		}
	}
	if out, err := runHooks(t); err == nil || !strings.Contains(out, "one argument") {
		t.Errorf("without an argument: %v: %s", err, out)
	}
}
