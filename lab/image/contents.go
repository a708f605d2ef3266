// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// Paths in the images that the init programs know.
const (
	// GuestDir has, in Dom0, what its DomUs boot: Kernel and Ramdisk.
	GuestDir = "/usr/lib/vlibos/guest"
	// Kernel and Ramdisk are files in GuestDir. Overlay is the segment that a
	// run appends to Ramdisk.
	Kernel  = GuestDir + "/kernel"
	Ramdisk = GuestDir + "/ramdisk"
	Overlay = GuestDir + "/overlay"
	// Init is the program that the kernel starts in both images.
	Init = "/init"
)

// DeviceModel is the package of the program that emulates an HVM guest's devices.
const DeviceModel = "qemu-system-xen"

// dom0Tools must be in Dom0: its init starts them, and tests use them.
var dom0Tools = []string{"xl", "libxl-save-helper", "xenstored", "xenconsoled", "xen-init-dom0", "xenconsole"}

// dom0Extras are added if the Xen series has them. They are for diagnosis.
var dom0Extras = []string{"lsevtchn", "xenctx", "xenperf", "xen-hptool", "xenpm", "xentop", "xen-diag"}

// hypfs reads Xen's own configuration, among others.
const hypfs = "/usr/sbin/xenhypfs"

// runtimeLibraries are for programs that are added to an image: the C library's
// parts, and libgcc_s, which glibc opens to end a thread.
var runtimeLibraries = []string{
	"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1",
	"libresolv.so.2", "libgcc_s.so.1", "libz.so.1",
}

var dom0Modules = []string{
	"xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs", "virtio_pci", "virtio_console", "virtio_blk", "virtio_net",
	"xen-netback", "xen-blkback", "fuse", "msr", "intel-uncore", "amd-uncore",
}

var domuModules = []string{
	"xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs", "xen-netfront", "xen-blkfront", "fuse", "msr",
}

// common adds what both images have: folders, busybox, the C library.
func (t *Tree) common(ctx context.Context, a *Archive) error {
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "run", "root", "etc", "mnt", "var/lib", "var/log", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64"} {
		a.Dir(dir)
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		a.Symlink(dir, "usr/"+dir)
	}
	a.Symlink("/var/run", "../run")
	a.File("/etc/passwd", 0o644, []byte("root::0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	a.File("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n"))
	a.File("/etc/hosts", 0o644, []byte("127.0.0.1 localhost\n"))

	host, ok := t.Host("/usr/bin/busybox")
	if !ok {
		return fmt.Errorf("no package contains busybox")
	}
	applets, err := exec.CommandContext(ctx, host, "--list").Output()
	if err != nil {
		return fmt.Errorf("list busybox's applets: %w", err)
	}
	a.HostFile("/usr/bin/busybox", host)
	for _, name := range strings.Fields(string(applets)) {
		if name != "busybox" && name != "init" && name != "linuxrc" {
			a.Symlink("/usr/bin/"+name, "busybox")
		}
	}
	var files []string
	for _, name := range runtimeLibraries {
		lib, ok := t.library(name)
		if !ok {
			return fmt.Errorf("no package contains the library %s", name)
		}
		files = append(files, lib)
	}
	// The project is compared with libxenvchan.
	for _, lib := range t.Glob("/usr/lib/x86_64-linux-gnu/libxenvchan.so.?.*") {
		if name := path.Base(lib); strings.Count(name, ".") == 3 {
			files = append(files, lib)
		}
	}
	// xenstore's own tools also work in a DomU.
	for _, name := range t.Glob("/usr/bin/xenstore*") {
		if _, ok := t.host[name]; ok {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return t.add(a, files...)
}

// add adds files of the tree at their own paths, and the libraries that they
// need.
func (t *Tree) add(a *Archive, files ...string) error {
	libs, err := t.libraries(files...)
	if err != nil {
		return err
	}
	for _, name := range append(libs, files...) {
		host, _ := t.Host(name)
		if a.have[name] {
			continue
		}
		a.HostFile(name, host)
	}
	return nil
}

// dom0 adds the contents of Dom0's image.
func (t *Tree) dom0(ctx context.Context, a *Archive, m *modules, xen string) error {
	if err := t.common(ctx, a); err != nil {
		return err
	}
	bin := "/usr/lib/xen-" + xen + "/bin/"
	var tools []string
	for _, name := range append(dom0Tools, dom0Extras...) {
		if _, ok := t.host[bin+name]; ok {
			tools = append(tools, name)
		}
	}
	for i, name := range dom0Tools {
		if i >= len(tools) || tools[i] != name {
			return fmt.Errorf("no package of Xen %[2]s contains %[1]s", bin+name, xen)
		}
	}
	var files []string
	for _, name := range tools {
		files = append(files, bin+name)
		a.Symlink("/usr/sbin/"+name, bin+name)
	}
	if err := t.add(a, append(files, hypfs)...); err != nil {
		return err
	}
	// HVM guests begin with it.
	loader := "/usr/lib/xen-" + xen + "/boot/hvmloader"
	host, ok := t.Host(loader)
	if !ok {
		return fmt.Errorf("no package contains %s", loader)
	}
	a.HostFile(loader, host)
	a.File("/etc/xen/xl.conf", 0o644, nil)
	a.Dir("/var/lib/xen")
	a.Dir("/var/lib/xenstored")
	a.Dir("/var/log/xen")
	return m.addTo(a, dom0Modules...)
}

// domu adds the contents of the DomUs' image.
func (t *Tree) domu(ctx context.Context, a *Archive, m *modules) error {
	if err := t.common(ctx, a); err != nil {
		return err
	}
	return m.addTo(a, domuModules...)
}

// filesIn returns the tree's files that an archive has at their own paths,
// sorted.
func (t *Tree) filesIn(a *Archive) []string {
	var files []string
	for name := range a.have {
		if _, ok := t.Host(name); ok {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}
