// SPDX-License-Identifier: Apache-2.0

package mjump

import (
	"context"
	_ "embed" // for the source
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed program/mjump.c
var source string

// Build builds the program in dir and returns its path. The program is static,
// so that it runs in any image.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "mjump")
	cmd := exec.CommandContext(ctx, "gcc", "-x", "c", "-O2", "-Wall", "-Werror", "-static", "-o", program, "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build m_jump with gcc: %w: %s", err, out)
	}
	return program, nil
}
