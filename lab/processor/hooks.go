// SPDX-License-Identifier: Apache-2.0

package processor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ourFolder is where our files are in QEMU's source tree.
const ourFolder = "target/i386/vlibos"

// hook is text that is inserted behind an anchor: a line of QEMU, compared without regard to
// spaces, that its file must have once.
type hook struct{ file, anchor, text string }

const (
	sysemu = "target/i386/tcg/sysemu/misc_helper.c"
	both   = "target/i386/tcg/misc_helper.c"
)

// hooks are for QEMU 7.2.
var hooks = []hook{
	{"target/i386/meson.build", "'cpu-sysemu.c',", `  'vlibos/allocation.c',
  'vlibos/identification.c',
  'vlibos/models.c',
  'vlibos/monitoring.c',
  'vlibos/processor.c',
  'vlibos/uncore.c',
`},
	{sysemu, `#include "tcg/helper-tcg.h"`, `#include "../../vlibos/processor.h"
`},
	// WRMSR: both halves of the value have just been put together.
	{sysemu, "((uint64_t)((uint32_t)env->regs[R_EDX]) << 32);", `
    switch (processor_write(cs->cpu_index, (uint32_t)env->regs[R_ECX], val)) {
    case ACCESS_DONE:
        return;
    case ACCESS_FAULT:
        goto error;
    case ACCESS_OTHER:
        break;
    }
`},
	// RDMSR: it has just been checked that no hypervisor wants to know.
	{sysemu, "cpu_svm_check_intercept_param(env, SVM_EXIT_MSR, 0, GETPC());", `
    if (processor_read(env_cpu(env)->cpu_index, (uint32_t)env->regs[R_ECX],
                       &val) == ACCESS_DONE) {
        env->regs[R_EAX] = (uint32_t)val;
        env->regs[R_EDX] = (uint32_t)(val >> 32);
        return;
    }
`},
	{both, `#include "helper-tcg.h"`, `#include "../vlibos/processor.h"
`},
	// CPUID.
	{both, "&eax, &ebx, &ecx, &edx);", `#ifndef CONFIG_USER_ONLY
    processor_cpuid((uint32_t)env->regs[R_EAX], (uint32_t)env->regs[R_ECX],
                    &eax, &ebx, &ecx, &edx);
#endif
`},
}

// insert inserts all hooks into a source tree. It reads all files before it writes one, so a
// tree that does not fit is unchanged.
func insert(tree string) error {
	files := make(map[string]string)
	for _, h := range hooks {
		path := filepath.Join(tree, h.file)
		if _, ok := files[path]; !ok {
			data, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("insert the emulated processor into QEMU: %w", err)
			}
			files[path] = string(data)
		}
		var b strings.Builder
		n := 0
		for line := range strings.Lines(files[path]) {
			b.WriteString(line)
			if strings.Join(strings.Fields(line), " ") == h.anchor {
				n++
				b.WriteString(h.text)
			}
		}
		if n != 1 {
			return fmt.Errorf("insert the emulated processor into QEMU: %s has the line %q %d times, expected once: "+
				"this QEMU differs from 7.2, for which lab/processor/hooks.go was written", h.file, h.anchor, n)
		}
		files[path] = b.String()
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
