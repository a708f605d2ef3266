// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
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
func ramdisk(c Config, base *image.Base, bin string) (file *os.File, hasServer bool, err error) {
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
	overlay, err := segment(initFile, domu)
	if err != nil {
		return nil, false, fmt.Errorf("DomU image: %w", err)
	}
	a := image.NewArchive(f)
	a.HostFile(image.Init, initFile)
	for _, file := range dom0 {
		a.HostTree(file.Guest, file.Host)
	}
	a.File(image.Overlay, 0o644, overlay)
	if err := a.Close(); err != nil {
		return nil, false, fmt.Errorf("Dom0 image: %w", err)
	}
	hasServer = slices.ContainsFunc(domu, func(f File) bool { return path.Clean(f.Guest) == "/usr/bin/"+serverName })
	return f, hasServer, nil
}

func segment(initFile string, files []File) ([]byte, error) {
	var b bytes.Buffer
	a := image.NewArchive(&b)
	a.HostFile(image.Init, initFile)
	for _, f := range files {
		a.HostTree(f.Guest, f.Host)
	}
	err := a.Close()
	return b.Bytes(), err
}
