// SPDX-License-Identifier: Apache-2.0

package processor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/membus"
)

//go:embed emulator
var sources embed.FS

// builder determines what is built, besides the sources.
//
//go:embed build.go hooks.go
var builder embed.FS

const (
	compiler = "gcc"
	program  = "qemu-system-x86_64"
)

// configure are the arguments of QEMU's configure: emulation of this machine's kind alone.
var configure = []string{"--target-list=x86_64-softmmu", "--without-default-features", "--enable-tcg", "--enable-plugins", "--disable-docs"}

// Cache is the folder processor in the lab's cache. Any number of processes may share it.
//
//	lock            flock: taken during a build
//	emulator/KEY/   the emulator; a folder of that name is complete
type Cache struct {
	base *image.Cache
	dir  string
}

const folder = "processor"

// NewCache returns the cache of emulators in a cache of the lab.
func NewCache(c *image.Cache) *Cache { return &Cache{base: c, dir: filepath.Join(c.Dir, folder)} }

// Build returns the path of the emulator with the processors, built from the source of the QEMU
// that the package pkg installed. It builds it if there is none of this content, which takes
// three minutes of two CPUs, and calls install first, which installs the tools. It reports what
// it does on log. Of two processes that call it at once, one builds.
func (c *Cache) Build(ctx context.Context, pkg string, install func() error, log io.Writer) (string, error) {
	unlock, err := c.base.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	name, version, err := debs.InstalledSource(ctx, pkg)
	if err != nil {
		return "", fmt.Errorf("an emulated processor is a part of the distribution's QEMU: %w", err)
	}
	upstream := membus.UpstreamVersion(version)
	key, err := key(ctx, upstream)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(c.dir, "emulator", key)
	built := filepath.Join(dir, program)
	if _, err := os.Stat(built); !errors.Is(err, fs.ErrNotExist) {
		return built, err
	}
	if err := install(); err != nil {
		return "", err
	}
	return built, cachedir.Make(c.dir, dir, func(tmp, out string) error {
		fmt.Fprintf(log, "downloading the source of QEMU %s from the machine's package sources\n", version)
		tree, err := membus.FetchSource(ctx, name, upstream, tmp, log)
		if err != nil {
			return err
		}
		if err := prepare(tree); err != nil {
			return err
		}
		fmt.Fprintln(log, "compiling QEMU with the emulated processors: some minutes")
		return compile(ctx, tree, filepath.Join(out, program))
	})
}

// key names the content of all that determines the emulator.
func key(ctx context.Context, version string) (string, error) {
	h := sha256.New()
	out, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", compiler, err)
	}
	banner, _, _ := strings.Cut(string(out), "\n")
	fmt.Fprintf(h, "%s\n%s\n%s", version, banner, membus.ProcessorState())
	for _, files := range []fs.FS{sources, builder} {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, name)
			fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// prepare puts our files and the lines that lead to them into QEMU's source tree.
func prepare(tree string) error {
	if err := insert(tree); err != nil {
		return err
	}
	ours := filepath.Join(tree, ourFolder)
	if err := os.Mkdir(ours, 0o755); err != nil {
		return err
	}
	files, err := fs.Glob(sources, "emulator/*")
	if err != nil {
		return err
	}
	for _, name := range files {
		data, err := sources.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(ours, path.Base(name)), data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(ours, membus.ProcessorStateName), membus.ProcessorState(), 0o644)
}

// compile compiles a source tree and moves the emulator to out.
func compile(ctx context.Context, tree, out string) error {
	build := filepath.Join(tree, "build")
	if err := os.Mkdir(build, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{append([]string{"../configure"}, configure...), {"ninja", program}, {"strip", program}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = build
		if text, err := cmd.CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
			return fmt.Errorf("compile QEMU: %s: %w\n%s", args[0], err, bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
		}
	}
	return os.Rename(filepath.Join(build, program), out)
}
