"""Layers of convolutional networks on arrays, with `torch.nn.functional`'s names, shapes and results.

    conv1d, conv2d, conv3d                              layers
    conv_transpose1d, conv_transpose2d, …               their transposes
    conv1d_input, conv1d_weight, …                      their gradients, as in `torch.nn.grad`
    conv_transpose1d_input, conv_transpose1d_weight, …  those of the transposes
    Conv1d, Conv2d, Conv3d                              layers with their weight prepared, for many inputs
    conv_integer, qlinear_conv                          quantised layers, as in ONNX
    ConvInteger, QLinearConv                            the same with their weight prepared
    explain                                             which engine a layer takes, and why

    _arguments  what they have in common: checks, in PyTorch's words
    _geometry   which input meets which tap for which output
    _choice     the engines, and the choice of one
    _compute    from arrays of any dtype to engines
    _convolution _layers _transposed _gradients _transposed_gradients _explain     the functions
    _quantised _quantised_layers

All arrays of a call have the same dtype, which is the result's: float32, float64, complex64 or complex128;
float16, summed in float32; or integers, which wrap around. A NaN or infinity reaches all outputs whose window
holds it, whatever the weight there, and no others. Every function takes, as keywords where they make sense,

    padding_mode    "zeros", "reflect", "replicate" or "circular": what stands in the padding
    layout          "NCHW", or "NHWC" for channels last (of any number of axes; weights stay as they are)
    algorithm       "auto", or "direct", "winograd" (3 × 3 taps), "fft" (long kernels)
    out             an array for the result
    workers         at most so many threads, as in `fastconv.convolve`; results do not depend on it
"""

from fastconv.nn._convolution import conv1d, conv2d, conv3d
from fastconv.nn._explain import Explanation, explain
from fastconv.nn._gradients import (
    conv1d_input,
    conv1d_weight,
    conv2d_input,
    conv2d_weight,
    conv3d_input,
    conv3d_weight,
)
from fastconv.nn._layers import Conv1d, Conv2d, Conv3d
from fastconv.nn._quantised import conv_integer, qlinear_conv
from fastconv.nn._quantised_layers import ConvInteger, QLinearConv
from fastconv.nn._transposed import conv_transpose1d, conv_transpose2d, conv_transpose3d
from fastconv.nn._transposed_gradients import (
    conv_transpose1d_input,
    conv_transpose1d_weight,
    conv_transpose2d_input,
    conv_transpose2d_weight,
    conv_transpose3d_input,
    conv_transpose3d_weight,
)

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvInteger",
    "Explanation",
    "QLinearConv",
    "conv1d",
    "conv1d_input",
    "conv1d_weight",
    "conv2d",
    "conv2d_input",
    "conv2d_weight",
    "conv3d",
    "conv3d_input",
    "conv3d_weight",
    "conv_integer",
    "conv_transpose1d",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
    "explain",
    "qlinear_conv",
]
