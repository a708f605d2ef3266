// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/lab/image"
)

// ramdisk makes Dom0's image from the base, the packages, and the init program for Dom0
// and the DomUs, which are of one kind. It is an unnamed file in memory.
func ramdisk(base *image.Base, bin string, p packages, g Guest) (_ *os.File, err error) {
	initFile := filepath.Join(bin, initProgram)
	f, err := memoryFile("dom0.img")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	for _, name := range append([]string{base.Dom0Image()}, p.dom0...) {
		if err := appendFile(f, name); err != nil {
			return nil, fmt.Errorf("make Dom0's ramdisk: %w", err)
		}
	}
	var overlay bytes.Buffer
	for _, name := range p.domu {
		if err := appendFile(&overlay, name); err != nil {
			return nil, fmt.Errorf("DomU image: %w", err)
		}
	}
	domu := image.NewArchive(&overlay)
	domu.HostFile(image.Init, initFile)
	if err := domu.Close(); err != nil {
		return nil, fmt.Errorf("DomU image: %w", err)
	}
	dom0 := image.NewArchive(f)
	dom0.HostFile(image.Init, initFile)
	if g == HVM {
		dom0.HostFile(image.Kernel, base.BootKernel())
	}
	dom0.File(image.Overlay, 0o644, overlay.Bytes())
	if err := dom0.Close(); err != nil {
		return nil, fmt.Errorf("Dom0 image: %w", err)
	}
	return f, nil
}

func appendFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
