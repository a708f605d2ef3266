// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	_ "embed" // for the source
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// taskSource is the program of the guests while a scheduler is measured.
//
//go:embed program/task.c
var taskSource string

// buildTask builds the program in dir. The program is static, so that the guests
// need nothing else.
func buildTask(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "task")
	cmd := exec.CommandContext(ctx, "gcc", "-x", "c", "-O2", "-Wall", "-static", "-o", program, "-")
	cmd.Stdin = strings.NewReader(taskSource)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guests' task with gcc: %w: %s", err, out)
	}
	return program, nil
}
