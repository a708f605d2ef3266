// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
)

// The paper's m_jump writes to each line of an array as large as the last-level
// cache. It advances by 8 KiB each time, so that no row of the DRAM is used
// twice.
const (
	jumpStep = 8192
	jumpLine = 64
	// jumpMost limits the array: on a machine that a provider divides, the
	// cache is reported with its whole size.
	jumpMost  = 128 << 20
	jumpLeast = 6 << 20 // the paper's
)

// A piece of its work is one of the 128 rounds through the array.
func mjump() (func(context.Context, *atomic.Uint64) error, error) {
	array := make([]byte, arraySize(cacheSize()))
	for page := 0; page < len(array); page += pageSize {
		array[page] = 1 // allocating a new page is not the job's work
	}
	j := 0
	return func(_ context.Context, done *atomic.Uint64) error {
		for i := j; i < len(array); i += jumpStep {
			array[i] = byte(i)
		}
		done.Add(uint64(len(array) / jumpStep))
		j = (j + jumpLine) % jumpStep
		return nil
	}, nil
}

func arraySize(cache int) int { return min(max(cache, jumpLeast), jumpMost) / jumpStep * jumpStep }

// cacheSize returns the size of the last-level cache in bytes, 0 if the machine
// does not report it.
func cacheSize() (size int) {
	for level := range 5 {
		text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu0/cache/index%d/size", level))
		if err != nil {
			break
		}
		var kib int
		if _, err := fmt.Sscanf(string(text), "%dK", &kib); err == nil {
			size = kib << 10
		}
	}
	return size
}

// compression compresses 1 MiB that is as compressible as text. It counts bytes.
func compression() (func(context.Context, *atomic.Uint64) error, error) {
	return command(prose(1<<20), "gzip", "-6", "-c"), nil
}

// prose returns words in the frequencies of natural language, the same in each
// run.
func prose(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 5000)
	for i := range words {
		word := make([]byte, 2+random.IntN(9))
		for j := range word {
			word[j] = byte('a' + random.IntN(26))
		}
		words[i] = string(word)
	}
	often := rand.NewZipf(random, 1.1, 4, uint64(len(words)-1))
	var text bytes.Buffer
	for text.Len() < size {
		text.WriteString(words[often.Uint64()])
		text.WriteByte(' ')
	}
	return text.Bytes()[:size]
}

// functions is the number of functions in one piece of the compiler's work,
// which takes a fraction of a second.
const functions = 12

// compiler optimises a generated program. It counts the program's bytes.
func compiler() (func(context.Context, *atomic.Uint64) error, error) {
	var source strings.Builder
	for i := range functions {
		fmt.Fprintf(&source, `int f%[1]d(int *a, int n) {
	int s = %[1]d;
	for (int i = 0; i < n; i++) {
		for (int j = i; j < n; j++) {
			if (a[i] > a[j] + s) { int t = a[i]; a[i] = a[j]; a[j] = t; s += t; }
			else if ((a[i] ^ a[j]) & %[1]d) s -= a[j] * %[1]d;
		}
		switch (s & 7) { case 0: s += 3; break; case 1: s *= 5; break; case 5: s ^= a[i]; break; }
	}
	return s;
}
`, i)
	}
	return command([]byte(source.String()), "gcc", "-x", "c", "-O2", "-S", "-o", "/dev/null", "-"), nil
}
