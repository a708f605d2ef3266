// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	modulePath  = "github.com/vlibos/vlibos"
	initProgram = "vliblab-init"
	serverName  = "vlib-server"
)

// dom0Programs and domuPrograms are copied to /usr/bin of the images if they have been
// built.
var (
	dom0Programs = []string{"vlibmaster"}
	domuPrograms = []string{serverName, "vlib-worker"}
)

// binDir finds the folder of this project's programs: the configured one, that of the
// running program, or bin/ of the module that contains the working folder, as under
// `go test`.
func binDir(configured string) (string, error) {
	if configured != "" {
		return configured, hasInit(configured)
	}
	var tried []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			tried = append(tried, filepath.Dir(exe))
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if root, ok := moduleRoot(wd); ok {
			tried = append(tried, filepath.Join(root, "bin"))
		}
	}
	for _, dir := range tried {
		if hasInit(dir) == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s: build it with `make build`", initProgram, strings.Join(tried, " or "))
}

func hasInit(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, initProgram)); err != nil {
		return fmt.Errorf("the lab's init program is missing: build it with `make build`: %w", err)
	}
	return nil
}

// moduleRoot looks for this project's go.mod in dir and the folders above it.
func moduleRoot(dir string) (string, bool) {
	for {
		if f, err := os.Open(filepath.Join(dir, "go.mod")); err == nil {
			sc := bufio.NewScanner(f)
			ours := sc.Scan() && strings.TrimSpace(sc.Text()) == "module "+modulePath
			f.Close()
			if ours {
				return dir, true
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// programs returns those of the named programs that have been built, as files for an
// image.
func programs(dir string, names []string) ([]File, error) {
	var files []File
	for _, name := range names {
		host := filepath.Join(dir, name)
		_, err := os.Stat(host)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, File{Host: host, Guest: "/usr/bin/" + name})
	}
	return files, nil
}
