from setuptools import Extension, setup

import fastconv

setup(
    name="consumer-c",
    version="1",
    ext_modules=[
        Extension(name, [source], include_dirs=[fastconv.get_include()])
        for name, source in [("consumer_c", "consumer_c.c"), ("consumer_cpp", "consumer_cpp.cpp")]
    ],
)
