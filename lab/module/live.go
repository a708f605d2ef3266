// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/hypervisor"
	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

// Live is the module as a live patch, and the Xen that it is for: the distribution's own,
// of the version whose source is available. It does not change once it exists.
type Live struct {
	// Patch is the live patch's file, named after BuildID; Hypervisor is the file that is
	// booted.
	Patch, Hypervisor string
	BuildID           string // in hex
	Source            string // the version
}

// ErrNoBinary says that the distribution no longer serves the hypervisor of the version
// whose source it serves.
var ErrNoBinary = errors.New("the hypervisor of that version is not available")

// dispatchers are Xen's objects with the functions that are replaced as a whole. They have
// no data.
var dispatchers = []string{"arch/x86/pv/hypercall.o", "arch/x86/hvm/hypercall.o"}

// sections merges the sections of functions and variables, of which Xen accepts 1024.
const sections = `SECTIONS
{
	.text 0 : { *(.text .text.*) }
	.rodata 0 : { *(.rodata .rodata.*) }
	.data 0 : { *(.data .data.*) }
	.bss 0 : { *(.bss .bss.*) }
}
`

// Live returns the live patch for the Xen of base's release. It builds it if there is none
// of this content. Errors: [ErrNoSource], [ErrNoBinary].
func (c *Cache) Live(ctx context.Context, base *image.Base, log io.Writer) (*Live, error) {
	compiler, err := compilerVersion(ctx)
	if err != nil {
		return nil, err
	}
	unlock, err := c.base.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	src, err := c.fetch(ctx, base, false, log)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.dir, "live", key(src.id, compiler, hypervisor.Revision(), builderRevision()))
	if l, err := openLive(dir, src); err == nil {
		return l, nil
	}
	err = cachedir.Make(c.dir, dir, func(tmp, out string) error {
		config, err := c.distributions(ctx, base, src, tmp, out, log)
		if err != nil {
			return err
		}
		t, err := c.Of(live).tree(ctx, src, compiler, log)
		if err != nil {
			return err
		}
		if err := t.compile(ctx, src.version, log); err != nil {
			return err
		}
		if err := t.sameConfig(config); err != nil {
			return err
		}
		return t.linkLive(ctx, src.version, tmp, out)
	})
	if err != nil {
		return nil, fmt.Errorf("the live patch for Xen %s: %w", src.version, err)
	}
	return openLive(dir, src)
}

func openLive(dir string, src source) (*Live, error) {
	l := &Live{Hypervisor: filepath.Join(dir, imageName), Source: src.version}
	id, err := buildID(l.Hypervisor)
	if err != nil {
		return nil, err
	}
	l.BuildID = hex.EncodeToString(id[len(id)-buildIDSize:])
	l.Patch = filepath.Join(dir, l.BuildID+".livepatch")
	_, err = os.Stat(l.Patch)
	return l, err
}

// distributions downloads the distribution's hypervisor of the source's version to out, and
// returns the configuration that it was built with.
func (c *Cache) distributions(ctx context.Context, base *image.Base, src source, tmp, out string, log io.Writer) (config string, err error) {
	release, err := c.base.Release(ctx, base.Release, log)
	if err != nil {
		return "", err
	}
	name := image.HypervisorPackage(base.Xen)
	fmt.Fprintf(log, "downloading %s %s\n", name, src.version)
	files, err := release.Download(ctx, tmp, []debs.Package{{Name: name, Version: src.version}})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoBinary, err)
	}
	root := filepath.Join(tmp, "root")
	if err := debs.Unpack(ctx, files[0], root); err != nil {
		return "", err
	}
	boot := filepath.Join(root, "boot", "xen-"+base.Xen+"-amd64")
	packed, err := os.Open(boot + ".gz")
	if err != nil {
		return "", err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		return "", err
	}
	xen, err := io.ReadAll(unpacked)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(out, imageName), xen, 0o644); err != nil {
		return "", err
	}
	text, err := os.ReadFile(boot + ".config")
	return string(text), err
}

// sameConfig returns an error unless the tree's configuration is the distribution's and our
// option: structures would differ otherwise.
func (t *tree) sameConfig(theirs string) error {
	ours, err := os.ReadFile(filepath.Join(t.dir, "xen/.config"))
	if err != nil {
		return err
	}
	have, want := options(string(ours)), append(options(theirs), option)
	for _, o := range append(slices.Clone(have), want...) {
		if !slices.Contains(have, o) || !slices.Contains(want, o) {
			return fmt.Errorf("%s differs from the distribution's configuration: is it the compiler that built it?", o)
		}
	}
	return nil
}

func options(config string) (list []string) {
	for line := range strings.Lines(config) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "CONFIG_") {
			list = append(list, line)
		}
	}
	return list
}

// linkLive links the payload. Undefined symbols are found in the running Xen's own symbol
// table, by name, and so all names that the payload defines get a prefix.
func (t *tree) linkLive(ctx context.Context, version, tmp, out string) error {
	folder := filepath.Join(t.module(), hypervisor.LiveFolder)
	file := filepath.Join(folder, "payload.c")
	if err := os.WriteFile(file, hypervisor.LivePayload(), 0o644); err != nil {
		return err
	}
	payload := hypervisor.LiveFolder + "/payload.o"
	if err := t.run(ctx, version, io.Discard, payload); err != nil {
		return err
	}
	objects := []string{payload}
	files, err := filepath.Glob(filepath.Join(folder, "*.c"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if f != file {
			objects = append(objects, hypervisor.LiveFolder+"/"+strings.TrimSuffix(filepath.Base(f), ".c")+".o")
		}
	}
	note, err := buildID(filepath.Join(out, imageName))
	if err != nil {
		return err
	}
	id := hex.EncodeToString(note[len(note)-buildIDSize:])
	for name, data := range map[string][]byte{"id": note, "sections": []byte(sections)} {
		if err := os.WriteFile(filepath.Join(tmp, name), data, 0o644); err != nil {
			return err
		}
	}
	linked, names := filepath.Join(tmp, "linked"), filepath.Join(tmp, "names")
	ld := append([]string{"-r", "-x", "--build-id=sha1", "-z", "noexecstack", "-T", filepath.Join(tmp, "sections"), "-o", linked}, append(objects, dispatchers...)...)
	if err := tool(ctx, t.module(), "ld", ld...); err != nil {
		return err
	}
	defined, err := definedNames(linked)
	if err != nil {
		return err
	}
	if err := os.WriteFile(names, []byte(defined), 0o644); err != nil {
		return err
	}
	args := []string{"--redefine-syms=" + names, "-R", ".comment", "-R", ".note.GNU-stack"}
	for _, s := range []string{".livepatch.depends", ".livepatch.xen_depends"} {
		args = append(args, "--add-section", s+"="+filepath.Join(tmp, "id"), "--set-section-flags", s+"=alloc,load,readonly,data,contents")
	}
	return tool(ctx, t.module(), "objcopy", append(args, linked, filepath.Join(out, id+".livepatch"))...)
}

// definedNames returns objcopy's list for giving each defined symbol of an object a prefix.
func definedNames(file string) (string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return "", err
	}
	var list strings.Builder
	seen := make(map[string]bool) // static functions of several files may have one name
	for _, s := range symbols {
		if seen[s.Name] {
			continue
		}
		if s.Name != "" && s.Section != elf.SHN_UNDEF && elf.ST_TYPE(s.Info) != elf.STT_SECTION && elf.ST_TYPE(s.Info) != elf.STT_FILE {
			seen[s.Name] = true
			fmt.Fprintf(&list, "%[1]s vlib.%[1]s\n", s.Name)
		}
	}
	return list.String(), nil
}

// buildIDSize is the size of a build-id: of SHA-1.
const buildIDSize = 20

// buildID returns the ELF note with the build-id of a hypervisor. The id is its end.
func buildID(file string) ([]byte, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const kind = 3 // NT_GNU_BUILD_ID
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE {
			continue
		}
		note, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, err
		}
		if len(note) == 16+buildIDSize && binary.LittleEndian.Uint32(note[8:]) == kind {
			return note, nil
		}
	}
	return nil, fmt.Errorf("%s has no build-id", file)
}

// tool runs one of the linker's programs in a folder.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var text bytes.Buffer
	cmd.Stderr = &text
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, lastLines(text.String(), 5))
	}
	return nil
}
