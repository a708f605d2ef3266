// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"
#include "go_asm.h"

GLOBL ·invokeABI0(SB), NOPTR|RODATA, $8
DATA ·invokeABI0(SB)/8, $invoke(SB)

// void invoke(struct frame *f), with C's calling convention, on a C stack.
//
// BX and R12 are callee-saved, so they keep the frame and the address of errno
// across the call. SP is 8 below a multiple of 16 at entry, and a multiple of
// 16 after three pushes and 80 bytes for the stack words, as the ABI requires
// at a call.
TEXT invoke(SB), NOSPLIT|NOFRAME, $0-0
	PUSHQ BP
	MOVQ  SP, BP
	PUSHQ BX
	PUSHQ R12
	SUBQ  $80, SP
	MOVQ  DI, BX

	MOVQ frame_errnoLocation(BX), AX
	CALL AX
	MOVQ AX, R12
	MOVL $0, (R12)

	MOVQ (frame_words+14*8)(BX), AX
	MOVQ AX, 0(SP)
	MOVQ (frame_words+15*8)(BX), AX
	MOVQ AX, 8(SP)
	MOVQ (frame_words+16*8)(BX), AX
	MOVQ AX, 16(SP)
	MOVQ (frame_words+17*8)(BX), AX
	MOVQ AX, 24(SP)
	MOVQ (frame_words+18*8)(BX), AX
	MOVQ AX, 32(SP)
	MOVQ (frame_words+19*8)(BX), AX
	MOVQ AX, 40(SP)
	MOVQ (frame_words+20*8)(BX), AX
	MOVQ AX, 48(SP)
	MOVQ (frame_words+21*8)(BX), AX
	MOVQ AX, 56(SP)
	MOVQ (frame_words+22*8)(BX), AX
	MOVQ AX, 64(SP)
	MOVQ (frame_words+23*8)(BX), AX
	MOVQ AX, 72(SP)

	MOVSD (frame_words+6*8)(BX), X0
	MOVSD (frame_words+7*8)(BX), X1
	MOVSD (frame_words+8*8)(BX), X2
	MOVSD (frame_words+9*8)(BX), X3
	MOVSD (frame_words+10*8)(BX), X4
	MOVSD (frame_words+11*8)(BX), X5
	MOVSD (frame_words+12*8)(BX), X6
	MOVSD (frame_words+13*8)(BX), X7

	MOVQ (frame_words+0*8)(BX), DI
	MOVQ (frame_words+1*8)(BX), SI
	MOVQ (frame_words+2*8)(BX), DX
	MOVQ (frame_words+3*8)(BX), CX
	MOVQ (frame_words+4*8)(BX), R8
	MOVQ (frame_words+5*8)(BX), R9

	// A variadic function reads in AL how many floating-point registers may
	// be in use.
	MOVL $8, AX
	MOVQ frame_fn(BX), R10
	CALL R10

	MOVQ  AX, frame_result(BX)
	MOVSD X0, frame_floatResult(BX)

	// A function that forks returns in the child too, also after vfork,
	// which shares this memory. The child must not serve. It ends here,
	// before it reaches the Go runtime, whose other threads it lacks.
	MOVL $39, AX // getpid
	SYSCALL
	CMPQ AX, frame_process(BX)
	JEQ  ours
	XORL DI, DI
	MOVL $231, AX // exit_group
	SYSCALL

ours:
	MOVL  (R12), AX
	MOVQ  AX, frame_errno(BX)

	ADDQ $80, SP
	POPQ R12
	POPQ BX
	POPQ BP
	RET
