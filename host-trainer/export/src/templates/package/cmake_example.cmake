cmake_minimum_required(VERSION 3.15)
project({{name}}_print LANGUAGES C)

# Installed: cmake --install BUILD --prefix PREFIX, and CMAKE_PREFIX_PATH=PREFIX here.
find_package({{name}} REQUIRED)
add_executable({{name}}_print main.c)
target_link_libraries({{name}}_print PRIVATE {{name}}::{{name}})
