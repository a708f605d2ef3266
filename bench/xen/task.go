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

// taskSource is what the guests do while a scheduler is measured.
//
//go:embed program/task.c
var taskSource string

// buildTask makes the program in dir. It is static: nothing else need be in
// the guests.
func buildTask(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "task")
	cmd := exec.CommandContext(ctx, "gcc", "-x", "c", "-O2", "-Wall", "-static", "-o", program, "-")
	cmd.Stdin = strings.NewReader(taskSource)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guests' task with gcc: %w: %s", err, out)
	}
	return program, nil
}
