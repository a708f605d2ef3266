// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// compiler is the default of Xen's makefiles.
const compiler = "gcc"

// The files that make leaves in the folder xen: the Multiboot image, which is
// 32-bit ELF and not compressed, and the 64-bit ELF file that it is made from.
const (
	imageName   = "xen"
	symbolsName = "xen-syms"
)

// option is the module's line in Xen's configuration.
const option = "CONFIG_SCHED_VLIB=y"

// besides is the change to Xen's default configuration. It adds the scheduler
// RTDS for comparisons. Xen does not support RTDS and offers it only to experts;
// the other lines undo what else CONFIG_EXPERT changes.
const besides = `
CONFIG_EXPERT=y
CONFIG_UNSUPPORTED=y
CONFIG_SCHED_RTDS=y
# CONFIG_TBOOT is not set
# CONFIG_GDBSX is not set
# CONFIG_DEBUG_INFO is not set
`

// distributionConfig is what the source package configures Xen with.
const distributionConfig = "debian/xen-kconfig"

// compile builds the image: from scratch in a minute or two, after a change in our
// files in seconds. Warnings are errors, as in all of Xen.
func (t *tree) compile(ctx context.Context, version string, log io.Writer) error {
	marker := filepath.Join(t.dir, busy)
	if err := os.WriteFile(marker, nil, 0o644); err != nil {
		return err
	}
	err := t.make(ctx, version, log)
	if ctx.Err() == nil {
		// make ended and has removed unfinished files.
		if err := os.Remove(marker); err != nil {
			return err
		}
	}
	return err
}

func (t *tree) make(ctx context.Context, version string, log io.Writer) error {
	file := filepath.Join(t.dir, "xen/.config")
	config, err := t.ownConfig(ctx, version, file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, config, 0o644); err != nil {
		return err
	}
	if err := t.run(ctx, version, io.Discard, "olddefconfig"); err != nil {
		return err
	}
	if config, err = os.ReadFile(file); err != nil {
		return err
	}
	if !t.without && !bytes.Contains(config, []byte("\n"+option+"\n")) {
		return fmt.Errorf("configure Xen %s: %s is not in xen/.config: the module is left out, "+
			"which happens if CONFIG_SCHED_NULL is set, as in a debug build", version, option)
	}
	return t.run(ctx, version, &counter{log: log, next: time.Now()}, "-j", fmt.Sprint(runtime.NumCPU()))
}

// ownConfig returns what the variant decides of Xen's configuration.
func (t *tree) ownConfig(ctx context.Context, version, file string) ([]byte, error) {
	if t.theirs {
		return os.ReadFile(filepath.Join(t.dir, distributionConfig))
	}
	if err := t.run(ctx, version, io.Discard, "defconfig"); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(file)
	return append(config, besides+t.config...), err
}

// run runs make in the folder xen. Xen's banner has the version of the source. The
// builder, the place and the time are left out, so that equal sources make equal
// images.
func (t *tree) run(ctx context.Context, version string, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "make", append([]string{"-C", "xen"}, args...)...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C",
		"MAKEFLAGS=", "MAKELEVEL=", // not those of a make that runs this program
		"DEB_VERSION="+version+" with vLibOS", "DEB_MAINTAINER=vLibOS <vlibos@localhost>",
		"XEN_WHOAMI=vlibos", "XEN_DOMAIN=localhost", "XEN_BUILD_HOST=localhost",
		"XEN_BUILD_DATE=unrecorded", "XEN_BUILD_TIME=unrecorded")
	// At the end of ctx, make's children are ended too.
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &errOut
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("compile Xen %s with the module: %w\n%s", version, err, lastLines(errOut.String(), 30))
	}
	return nil
}

// counter reports every few seconds how many files make has compiled.
type counter struct {
	log  io.Writer
	n    int
	next time.Time
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte("  CC "))
	if now := time.Now(); !now.Before(c.next) {
		c.next = now.Add(5 * time.Second)
		fmt.Fprintf(c.log, "compiling Xen with the module: %d files\n", c.n)
	}
	return len(p), nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
