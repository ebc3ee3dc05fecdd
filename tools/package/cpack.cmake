# Packages of CPack; tools/package.sh makes them. Three .deb files: the program, OpenCV's module for
# WebP, and the library for other programs. One archive with all of it.
set(CPACK_PACKAGE_NAME bifrons)
set(CPACK_PACKAGE_VENDOR "Bifrons")
set(CPACK_PACKAGE_CONTACT "The maintainers of Bifrons <maintainers@bifrons.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Draws pictures from text with Janus-Pro-style models")
set(CPACK_PACKAGE_DESCRIPTION
  "Bifrons draws pictures from prompts with Janus-Pro-style models, and describes\npictures with the same model. A small model comes with it.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME bifrons-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_GENERATOR TGZ DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_COMPONENTS_ALL program library)
if(BIFRONS_OPENCV)
  list(APPEND CPACK_COMPONENTS_ALL opencv)
endif()

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)  # weights shrink little, and this one unpacks fastest
set(same "bifrons (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME bifrons)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS fonts-dejavu-core)  # captions of `bifrons grid`
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS bifrons-opencv)
set(CPACK_DEBIAN_OPENCV_PACKAGE_NAME bifrons-opencv)
set(CPACK_DEBIAN_OPENCV_PACKAGE_DEPENDS ${same})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libbifrons-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS ${same})  # the library loads the program's modules
set(CPACK_COMPONENT_OPENCV_DESCRIPTION "Reads and writes picture files through OpenCV, WebP among them.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The library of Bifrons for programs in C++ and C.")
include(CPack)
