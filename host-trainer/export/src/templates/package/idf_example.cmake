cmake_minimum_required(VERSION 3.16)
# The component is the folder two levels up.
set(EXTRA_COMPONENT_DIRS "${CMAKE_CURRENT_SOURCE_DIR}/../..")
include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project({{name}}_print)
