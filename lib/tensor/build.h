/* SPDX-License-Identifier: MIT */
/* What the functions that add operations to a graph share. */
#ifndef LOAM_TENSOR_BUILD_H
#define LOAM_TENSOR_BUILD_H

#include "tensor/tensor.h"

/* Rows and widths stay below this, so that products of two fit easily. */
enum { MAX_WIDTH = 1 << 24 };

/* Remembers why; always LOAM_NO_TENSOR. Reached only while the graph is open,
 * that is before the first failure. */
#define REFUSE(graph, ...) (loam_fail(&(graph)->failure, __VA_ARGS__), LOAM_NO_TENSOR)

/* More can be added: the graph is there, not compiled, and nothing failed. */
bool loam_build_open(const loam_graph *graph);

loam_tensor loam_build_add(loam_graph *graph, const struct node *node);

/* The node of a tensor that holds rows of numbers, or NULL and a failure. */
const struct node *loam_build_rows(loam_graph *graph, loam_tensor tensor, const char *what);

/* The weight of a tensor, or NULL and a failure. rows 0: any number. */
const struct weight *loam_build_weight(loam_graph *graph, loam_tensor tensor, uint32_t width,
                                       uint32_t rows, const char *what);

/* Whether the tensor is a weight that is one row of f32; else a failure. */
bool loam_build_vector(loam_graph *graph, loam_tensor tensor, uint32_t width, const char *what);

/* A node with these inputs and no others. */
struct node loam_build_node(enum operation operation, loam_tensor a, loam_tensor b, loam_tensor c);

#endif
