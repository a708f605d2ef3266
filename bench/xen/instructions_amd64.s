// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func tsc() uint64
TEXT ·tsc(SB), NOSPLIT, $0-8
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

// A NOP that the profiler recognises, with the number of a phase.
#define MARK(phase) \
	BYTE $0x0f; BYTE $0x1f; BYTE $0x84; BYTE $0x00; \
	BYTE $phase; BYTE $'v'; BYTE $'L'; BYTE $'b'

// func mark(phase uint8)
TEXT ·mark(SB), NOSPLIT, $0-1
	MOVBLZX	phase+0(FP), AX
	CMPB	AX, $1
	JEQ	vchan
	CMPB	AX, $2
	JEQ	block
	CMPB	AX, $3
	JEQ	gated
	CMPB	AX, $4
	JEQ	open
	CMPB	AX, $5
	JEQ	call
	CMPB	AX, $6
	JEQ	listen
	CMPB	AX, $255
	JEQ	last
	MARK(0)
	RET
vchan:
	MARK(1)
	RET
block:
	MARK(2)
	RET
gated:
	MARK(3)
	RET
open:
	MARK(4)
	RET
call:
	MARK(5)
	RET
listen:
	MARK(6)
	RET
last:
	MARK(255)
	RET
