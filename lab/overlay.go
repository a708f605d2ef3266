// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/image"
)

// ramdisk puts Dom0's image together: the base, and the segment of this run.
// It is an unnamed file in memory, gone when nobody has it open, however this
// process ends. hasServer says whether the DomUs have a server to wait for.
func ramdisk(ctx context.Context, c Config, base *image.Base, bin string) (file *os.File, hasServer bool, err error) {
	dom0, err := programs(bin, dom0Programs)
	if err != nil {
		return nil, false, err
	}
	domu, err := programs(bin, domuPrograms)
	if err != nil {
		return nil, false, err
	}
	dom0, domu = append(dom0, c.Add...), append(domu, c.DomUAdd...)
	initFile := filepath.Join(bin, initProgram)

	fd, err := unix.MemfdCreate("vliblab-dom0.img", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, false, fmt.Errorf("make Dom0's ramdisk: %w", err)
	}
	f := os.NewFile(uintptr(fd), "dom0.img")
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	baseFile, err := os.Open(base.Dom0Image())
	if err != nil {
		return nil, false, err
	}
	defer baseFile.Close()
	if _, err := io.Copy(f, baseFile); err != nil {
		return nil, false, fmt.Errorf("make Dom0's ramdisk: %w", err)
	}
	if err := addPackages(ctx, f, base, c.Dom0Packages, c.SetupLog); err != nil {
		return nil, false, fmt.Errorf("Dom0 image: %w", err)
	}
	var overlay bytes.Buffer
	if err := addPackages(ctx, &overlay, base, c.DomUPackages, c.SetupLog); err != nil {
		return nil, false, fmt.Errorf("DomU image: %w", err)
	}
	if err := segment(&overlay, initFile, domu); err != nil {
		return nil, false, fmt.Errorf("DomU image: %w", err)
	}
	a := image.NewArchive(f)
	a.HostFile(image.Init, initFile)
	for _, file := range dom0 {
		a.HostTree(file.Guest, file.Host)
	}
	a.File(image.Overlay, 0o644, overlay.Bytes())
	if err := a.Close(); err != nil {
		return nil, false, fmt.Errorf("Dom0 image: %w", err)
	}
	hasServer = slices.ContainsFunc(domu, func(f File) bool { return path.Clean(f.Guest) == "/usr/bin/"+serverName })
	return f, hasServer, nil
}

func segment(w io.Writer, initFile string, files []File) error {
	a := image.NewArchive(w)
	a.HostFile(image.Init, initFile)
	for _, f := range files {
		a.HostTree(f.Guest, f.Host)
	}
	return a.Close()
}

// addPackages adds the segment of packages of the base's release.
func addPackages(ctx context.Context, w io.Writer, base *image.Base, names []string, log io.Writer) error {
	if len(names) == 0 {
		return nil
	}
	cache, err := image.DefaultCache()
	if err != nil {
		return err
	}
	path, err := cache.Segment(ctx, base, names, log)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
