// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Base is a folder with the images that are made from packages alone. It does not
// change once it exists.
type Base struct {
	Dir string `json:"-"`
	// Key is the hash of the packages and of the builder.
	Key string `json:"key"`
	// Release is that of Debian, Xen the hypervisor's series, Kernel the
	// kernel's release, and Packages the version of each package.
	Release  string            `json:"release"`
	Xen      string            `json:"xen"`
	Kernel   string            `json:"kernel"`
	Packages map[string]string `json:"packages"`
	// Files are the guest paths of the packages' files that both images have.
	Files []string `json:"files"`
}

// Hypervisor returns the path of the packages' Xen, uncompressed.
func (b *Base) Hypervisor() string { return filepath.Join(b.Dir, "xen") }

// Dom0Kernel returns the path of the ELF kernel.
func (b *Base) Dom0Kernel() string { return filepath.Join(b.Dir, "vmlinux") }

// BootKernel returns the path of the kernel as a loader in an HVM guest boots it.
func (b *Base) BootKernel() string { return filepath.Join(b.Dir, "vmlinuz") }

// Dom0Image returns the path of the first segment of Dom0's initramfs, which
// contains the DomUs' kernel and first segment.
func (b *Base) Dom0Image() string { return filepath.Join(b.Dir, "dom0.img") }

const manifest = "manifest.json"

// OpenBase reads the base images in dir.
func OpenBase(dir string) (*Base, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifest))
	if err != nil {
		return nil, err
	}
	b := &Base{Dir: dir}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, manifest), err)
	}
	return b, nil
}

// build makes the base images in the empty folder dir, from the packages unpacked
// under root.
func build(ctx context.Context, in *Ingredients, root, dir string) error {
	t, err := ReadTree(root)
	if err != nil {
		return err
	}
	if err := t.hypervisor(in.Xen, filepath.Join(dir, "xen")); err != nil {
		return err
	}
	release, bz, kernel, err := t.kernel()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"vmlinuz": bz, "vmlinux": kernel} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	mods, err := t.kernelModules(release)
	if err != nil {
		return err
	}
	b := Base{Key: key(in.Packages), Release: in.Release, Xen: in.Xen, Kernel: release, Packages: make(map[string]string)}
	ramdisk := filepath.Join(dir, "domu.img")
	err = writeArchive(ramdisk, func(a *Archive) error {
		// Dom0's image has all of its files.
		defer func() { b.Files = t.filesIn(a) }()
		return t.domu(ctx, a, mods)
	})
	if err != nil {
		return fmt.Errorf("DomU image: %w", err)
	}
	err = writeArchive(filepath.Join(dir, "dom0.img"), func(a *Archive) error {
		a.File(Kernel, 0o644, kernel)
		a.HostFile(Ramdisk, ramdisk)
		return t.dom0(ctx, a, mods, in.Xen)
	})
	if err != nil {
		return fmt.Errorf("Dom0 image: %w", err)
	}
	if err := os.Remove(ramdisk); err != nil {
		return err
	}
	for _, p := range in.Packages {
		b.Packages[p.Name] = p.Version
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifest), append(data, '\n'), 0o644)
}

// hypervisor uncompresses Xen, because QEMU's Multiboot loader does not.
func (t *Tree) hypervisor(series, out string) error {
	name := "/boot/xen-" + series + "-amd64.gz"
	host, ok := t.Host(name)
	if !ok {
		return fmt.Errorf("no package contains %s", name)
	}
	data, err := readCompressed(host)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(out, data, 0o644)
}

// kernel returns the only kernel, as the package has it and uncompressed.
func (t *Tree) kernel() (release string, bz, elf []byte, err error) {
	found := t.Glob("/boot/vmlinuz-*")
	if len(found) != 1 {
		return "", nil, nil, fmt.Errorf("the kernel packages contain %d kernels (%s), want one", len(found), strings.Join(found, " "))
	}
	host, _ := t.Host(found[0])
	if bz, err = os.ReadFile(host); err != nil {
		return "", nil, nil, err
	}
	if elf, err = vmlinux(bz); err != nil {
		return "", nil, nil, fmt.Errorf("%s: %w", found[0], err)
	}
	return strings.TrimPrefix(path.Base(found[0]), "vmlinuz-"), bz, elf, nil
}

// writeArchive writes a segment to a new file.
func writeArchive(name string, fill func(*Archive) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	a := NewArchive(w)
	if err := fill(a); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	return w.Flush()
}
