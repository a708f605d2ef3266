// SPDX-License-Identifier: Apache-2.0

package membus

import (
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
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/image"
)

//go:embed plugin
var sources embed.FS

const (
	compiler  = "gcc"
	sourceDir = "plugin"
)

// The plugins, by the names of their sources.
const (
	Memory  = "memory"  // the model of the contended mode
	Profile = "profile" // counts instructions by address
)

// ProcessorStateName is the header of what the plugin shares with an emulated processor, in a
// file of ProcessorStateBytes.
const (
	ProcessorStateName  = "state.h"
	ProcessorStateBytes = 8192
)

// ProcessorState returns that header.
func ProcessorState() []byte {
	data, err := sources.ReadFile(sourceDir + "/" + ProcessorStateName)
	if err != nil {
		panic(err) // the file is in the binary
	}
	return data
}

// flags compile the plugin; warnings are errors.
var flags = []string{"-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fvisibility=hidden", "-shared", "-fPIC"}

// Cache is the folder contended in the lab's cache, with headers and plugins. Any number
// of processes may share it.
//
//	lock                   flock: taken during a download or a compilation
//	header/QEMU/           qemu-plugin.h of a version of QEMU; a folder of that name is complete
//	plugin/KEY/NAME.so     compiled plugins; a folder of that name is complete
type Cache struct {
	base *image.Cache
	dir  string
}

const folder = "contended"

// NewCache returns the cache of plugins in a cache of the lab.
func NewCache(c *image.Cache) *Cache { return &Cache{base: c, dir: filepath.Join(c.Dir, folder)} }

// Build returns the path of a plugin for the emulator that the package pkg installed. It
// compiles the plugins if there is none of this content. It asks a package source only for
// the header, the first time for a version of QEMU. It reports what it does on log. Of two
// processes that call it at once, one builds.
func (c *Cache) Build(ctx context.Context, pkg, name string, log io.Writer) (string, error) {
	unlock, err := c.base.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	include, err := c.header(ctx, pkg, log)
	if err != nil {
		return "", err
	}
	key, err := c.key(ctx, include)
	if err != nil {
		return "", err
	}
	plugin := filepath.Join(c.dir, "plugin", key, name+".so")
	if _, err := os.Stat(plugin); !errors.Is(err, fs.ErrNotExist) {
		return plugin, err
	}
	fmt.Fprintln(log, "compiling the emulator's plugins")
	return plugin, c.compile(ctx, include, filepath.Dir(plugin))
}

// key names the content of all that determines the plugin's bytes.
func (c *Cache) key(ctx context.Context, include string) (string, error) {
	h := sha256.New()
	out, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", compiler, err)
	}
	banner, _, _ := strings.Cut(string(out), "\n")
	fmt.Fprintln(h, banner, flags)
	header, err := os.ReadFile(filepath.Join(include, headerName))
	if err != nil {
		return "", err
	}
	h.Write(header)
	err = fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := sources.ReadFile(name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// compile makes the folder dir with the plugins.
func (c *Cache) compile(ctx context.Context, include, dir string) error {
	return cachedir.Make(c.dir, dir, func(tmp, out string) error {
		if err := os.CopyFS(tmp, sources); err != nil {
			return err
		}
		for _, name := range []string{Memory, Profile} {
			args := append(flags[:len(flags):len(flags)], "-I", include, "-I", filepath.Join(tmp, sourceDir),
				"-o", filepath.Join(out, name+".so"), filepath.Join(tmp, sourceDir, name+".c"))
			if text, err := exec.CommandContext(ctx, compiler, args...).CombinedOutput(); err != nil {
				return fmt.Errorf("compile the emulator's plugin %s with %s: %w: %s", name, compiler, err, strings.TrimSpace(string(text)))
			}
		}
		return nil
	})
}
